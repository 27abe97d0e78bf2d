# A Focal Transformer, Tiny, as ImageNet classifier with DeiT's mixing.
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='mmvit.FocalTransformer',
        arch='tiny',
        drop_path_rate=0.2,
        out_indices=(3,),
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=768,
        loss=dict(
            type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'
        ),
        init_cfg=dict(type='TruncNormal', layer='Linear', std=0.02),
    ),
    train_cfg=dict(
        augments=[
            dict(type='Mixup', alpha=0.8),
            dict(type='CutMix', alpha=1.0),
        ]
    ),
)
