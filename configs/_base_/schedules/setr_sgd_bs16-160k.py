# lr 0.001 for 16 images.
_base_ = './setr_sgd_40k.py'
optim_wrapper = dict(optimizer=dict(lr=0.001))
train_cfg = dict(max_iters=160000, val_interval=16000)
param_scheduler = _base_.param_scheduler
param_scheduler[0].end = 160000
auto_scale_lr = dict(base_batch_size=16)
