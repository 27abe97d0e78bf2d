# Semantic FPN with a narrow neck and head. A config sets
# decode_head.num_classes.
_base_ = ['../prefixes.py', 'mmseg::_base_/models/fpn_r50.py', './pvt_nano.py']
model = dict(
    # Images of any size: batches are padded to a multiple of 32.
    data_preprocessor=dict(size_divisor=32),
    pretrained=None,
    backbone=dict(
        _delete_=True,
        type='mmvit.PVT',
        arch=_base_.pvt_nano,
        img_size=128,
    ),
    neck=dict(
        in_channels=[32, 64, 128, 256],
        out_channels=48,
        norm_cfg=dict(type='BN'),
        act_cfg=dict(type='ReLU'),
    ),
    decode_head=dict(in_channels=[48, 48, 48, 48], channels=48, num_classes=2),
)
