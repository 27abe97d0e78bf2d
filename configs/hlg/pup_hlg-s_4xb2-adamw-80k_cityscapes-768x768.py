# AdamW as released, instead of the paper's SGD, for the length of Table 6.
_base_ = './pup_hlg-s_4xb2-40k_cityscapes-768x768.py'
adamw = dict(_delete_=True, type='AdamW', lr=6e-5, weight_decay=0.0)
optim_wrapper = dict(optimizer=adamw)
train_cfg = dict(max_iters=80000, val_interval=8000)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, end=1500),
    dict(type='PolyLR', power=1.0, begin=1500, end=80000, by_epoch=False),
]
