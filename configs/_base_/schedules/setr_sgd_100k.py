_base_ = './setr_sgd_40k.py'
train_cfg = dict(max_iters=100000)
param_scheduler = _base_.param_scheduler
param_scheduler[0].end = 100000
