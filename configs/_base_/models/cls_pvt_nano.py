# A classifier for small images. A config sets head.num_classes.
_base_ = './pvt_nano.py'
model = dict(
    _scope_='mmpretrain',
    type='ImageClassifier',
    backbone=dict(
        type='mmvit.PVT',
        arch=_base_.pvt_nano,
        img_size=64,
        with_cls_token=True,
    ),
    head=dict(
        type='LinearClsHead',
        in_channels=256,
        num_classes=2,
        loss=dict(type='CrossEntropyLoss'),
        topk=1,
        init_cfg=dict(type='Normal', layer='Linear', std=0.02),
    ),
)
