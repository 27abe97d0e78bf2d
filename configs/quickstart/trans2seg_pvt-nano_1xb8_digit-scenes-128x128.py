# Trans2Seg's head on the quickstart's scenes. The coarse map is that of
# stride 8, since on that of stride 16 a digit is one or two tokens wide.
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
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, end=100, by_epoch=False),
    dict(type='PolyLR', power=0.9, begin=100, end=3000, by_epoch=False),
]
