# Trans2Seg's head on the digit scenes. The coarse map has stride 8: at stride
# 16, a digit is only one or two tokens wide.
_base_ = './fpn_pvt-nano_1xb8_digit-scenes-128x128.py'
model = dict(
    backbone=dict(out_indices=(0, 1)),
    neck=None,
    decode_head=dict(
        _delete_=True,
        type='mmvit.Trans2SegHead',
        in_channels=[32, 64],
        in_index=[0, 1],
        channels=48,
        embed_dims=128,
        num_layers=2,
        num_heads=4,
        grid=(12, 12),
        num_classes=11,
        norm_cfg=dict(type='BN'),
        loss_decode=dict(
            type='CrossEntropyLoss', class_weight=[0.15] + [1.0] * 10
        ),
    ),
)
train_cfg = dict(max_iters=3000)
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = 3000
