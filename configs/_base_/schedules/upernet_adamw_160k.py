# Swin's recipe for UperNet, which the papers follow: AdamW, lr 6e-5 for 16
# images, weight decay 0.01 except for norms, a linear warm-up of 1,500
# iterations, then poly of power 1 to 0 at 160,000.
_base_ = ['../prefixes.py', 'mmseg::_base_/schedules/schedule_160k.py']
optimizer = None  # unused; mmseg's base keeps its SGD in it
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=6e-5, weight_decay=0.01),
    paramwise_cfg=dict(norm_decay_mult=0.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, end=1500),
    dict(type='PolyLR', power=1.0, begin=1500, end=160000, by_epoch=False),
]
auto_scale_lr = dict(base_batch_size=16, enable=False)
