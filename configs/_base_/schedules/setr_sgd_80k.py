# SETR's SGD: lr 0.01 for 8 images, momentum 0.9 and no weight decay are the
# paper's; poly of power 0.9 to 1e-4 and ten times the learning rate for the
# decoders are the release's.
_base_ = 'mmseg::_base_/schedules/schedule_80k.py'
optimizer = None  # mmseg's base keeps its settings in it; nothing reads it
optim_wrapper = dict(
    optimizer=dict(weight_decay=0.0),
    paramwise_cfg=dict(custom_keys={'head': dict(lr_mult=10.0)}),
)
auto_scale_lr = dict(base_batch_size=8, enable=False)
