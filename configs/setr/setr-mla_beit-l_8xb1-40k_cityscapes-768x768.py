_base_ = './setr-mla_beit-l_8xb1-80k_cityscapes-768x768.py'
train_cfg = dict(max_iters=40000)
param_scheduler = [
    dict(type='PolyLR', eta_min=1e-4, power=0.9, end=40000, by_epoch=False)
]
