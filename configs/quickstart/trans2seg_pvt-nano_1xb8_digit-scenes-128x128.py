# Trans2Seg's head on the quickstart's scenes. The coarse map is that of
# stride 16, on which a digit is one or two tokens wide.
_base_ = './fpn_pvt-nano_1xb8_digit-scenes-128x128.py'
model = dict(
    backbone=dict(out_indices=(0, 1, 2)),
    neck=None,
    decode_head=dict(
        _delete_=True,
        type='mmvit.Trans2SegHead',
        in_channels=[32, 128],
        in_index=[0, 2],
        channels=48,
        embed_dims=128,
        num_layers=2,
        num_heads=4,
        grid=(6, 6),
        num_classes=11,
        norm_cfg=dict(type='BN'),
        loss_decode=dict(
            type='CrossEntropyLoss', class_weight=[0.15] + [1.0] * 10
        ),
    ),
)
