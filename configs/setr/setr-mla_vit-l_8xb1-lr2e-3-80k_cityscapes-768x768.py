_base_ = './setr-mla_vit-l_8xb1-lr2e-3-40k_cityscapes-768x768.py'
train_cfg = dict(max_iters=80000)
param_scheduler = _base_.param_scheduler
param_scheduler[0].end = 80000
