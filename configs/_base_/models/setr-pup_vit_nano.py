# SETR-PUP with a ViT of 2.7 M parameters and patches of 8 pixels that trains
# on a CPU. It is no size of the paper: the quickstart uses it, and own data
# can. The test slides a window of the training's size. A config sets
# decode_head.num_classes.
_base_ = ['../prefixes.py', 'mmseg::_base_/models/fpn_r50.py']
crop_size = (96, 96)
model = dict(
    data_preprocessor=dict(size=crop_size),
    pretrained=None,
    backbone=dict(
        _delete_=True,
        type='mmvit.SETRViT',
        arch=dict(embed_dims=192, depth=6, num_heads=6, mlp_ratio=4),
        img_size=96,
        patch_size=8,
    ),
    neck=None,
    decode_head=dict(
        _delete_=True,
        type='mmvit.SETRPUPHead',
        in_channels=192,
        channels=64,
        num_convs=3,
        num_classes=2,
        norm_cfg=dict(type='BN'),
        loss_decode=dict(type='CrossEntropyLoss'),
    ),
    test_cfg=dict(mode='slide', crop_size=crop_size, stride=(64, 64)),
)
