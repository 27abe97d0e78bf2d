# As released: AdamW, 40k iterations of 16 images.
_base_ = './pup_hlg-s_4xb2-40k_cityscapes-768x768.py'
adamw = dict(_delete_=True, type='AdamW', lr=6e-5, weight_decay=0.0)
optim_wrapper = dict(optimizer=adamw)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, end=1500),
    dict(type='PolyLR', power=1.0, begin=1500, end=40000, by_epoch=False),
]
auto_scale_lr = dict(base_batch_size=16)
