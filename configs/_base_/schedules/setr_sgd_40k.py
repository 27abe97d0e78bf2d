# SETR's SGD. The paper states lr 0.01 for 8 images, momentum 0.9 and no weight
# decay. The release has poly of power 0.9 to 1e-4, and ten times the lr for
# the decoders.
_base_ = ['../prefixes.py', 'mmseg::_base_/schedules/schedule_40k.py']
optimizer = None  # unused; mmseg's base keeps its settings in it
optim_wrapper = dict(
    optimizer=dict(weight_decay=0.0),
    paramwise_cfg=dict(custom_keys={'head': dict(lr_mult=10.0)}),
)
train_cfg = dict(val_interval=8000)
default_hooks = dict(checkpoint=dict(interval=8000))
auto_scale_lr = dict(base_batch_size=8, enable=False)
