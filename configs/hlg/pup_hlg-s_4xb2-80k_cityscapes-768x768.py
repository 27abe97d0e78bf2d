# The length of Table 6.
_base_ = './pup_hlg-s_4xb2-40k_cityscapes-768x768.py'
train_cfg = dict(max_iters=80000, val_interval=8000)
param_scheduler = [
    dict(type='PolyLR', eta_min=1e-4, power=0.9, end=80000, by_epoch=False),
]
