# An ImageNet classifier trained with DeiT's mixup and CutMix. A config sets
# the backbone, head.in_channels and, if the backbone returns maps, the neck.
model = dict(
    _scope_='mmpretrain',
    type='ImageClassifier',
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        loss=dict(
            type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'
        ),
        init_cfg=dict(type='Normal', layer='Linear', std=0.02),
    ),
    train_cfg=dict(
        augments=[
            dict(type='Mixup', alpha=0.8),
            dict(type='CutMix', alpha=1.0),
        ]
    ),
)
