# AdamW, lr 1e-4 for 16 images, weight decay 1e-4. 12 epochs with steps after
# epochs 8 and 11 and a warm-up of 500 iterations are mmdet's.
_base_ = 'mmdet::_base_/schedules/schedule_1x.py'
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=1e-4, weight_decay=1e-4)
)
auto_scale_lr = dict(base_batch_size=16, enable=False)
# For configs of 36 epochs that inherit from one of 12.
_param_scheduler_3x = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, end=500),
    dict(type='MultiStepLR', end=36, milestones=[27, 33], gamma=0.1),
]
