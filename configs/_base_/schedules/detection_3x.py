# 36 epochs with steps at 27 and 33, after 500 iterations of warm-up.
_base_ = 'mmdet::_base_/schedules/schedule_1x.py'
train_cfg = dict(max_epochs=36)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, end=500),
    dict(type='MultiStepLR', end=36, milestones=[27, 33], gamma=0.1),
]
