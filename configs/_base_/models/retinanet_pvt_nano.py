# RetinaNet with three levels and a narrow head. A config sets
# bbox_head.num_classes.
_base_ = ['mmdet::_base_/models/retinanet_r50_fpn.py', './pvt_nano.py']
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmvit.PVT',
        arch=_base_.pvt_nano,
        img_size=128,
    ),
    neck=dict(
        in_channels=[32, 64, 128, 256],
        out_channels=64,
        norm_cfg=dict(type='BN'),
        num_outs=3,
    ),
    bbox_head=dict(
        in_channels=64,
        feat_channels=64,
        stacked_convs=2,
        num_classes=1,
        anchor_generator=dict(strides=[8, 16, 32]),
    ),
)
