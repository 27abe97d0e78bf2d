# ScalableViT-S on ImageNet-1k. The paper states AdamW, lr 1e-3, weight decay
# 0.05, cosine decay after 5 epochs of warm-up, 300 epochs, batch 1,024, drop
# path and DeiT's augmentation, whose strengths are taken from DeiT. It is
# silent on clipping (5, as released) and on the width of the two-layer head
# (4,096, as released).
_base_ = [
    '../_base_/datasets/imagenet_deit.py',
    '../_base_/schedules/imagenet_adamw_300e_warmup-5e.py',
    '../_base_/runtime/cls.py',
]
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='mmvit.ScalableViT',
        arch='small',
        final_norm=True,
        drop_path_rate=0.2,
        out_indices=(3,),
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='StackedLinearClsHead',
        num_classes=1000,
        in_channels=512,
        mid_channels=[4096],
        norm_cfg=dict(type='LN', eps=1e-6),
        act_cfg=dict(type='GELU'),
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
optim_wrapper = dict(clip_grad=dict(max_norm=5.0))
