# HLG-Tiny on ImageNet-1k. The paper states AdamW, lr 1e-3, weight decay 0.05,
# cosine decay after 20 epochs of warm-up, 300 epochs, batch 1,024, drop path
# 0.1 (0.3 for Large), crops, flips and mixup, and says that it follows Swin
# and DeiT: the rest of the augmentation is DeiT's. It is silent on clipping
# (5) and EMA (0.99996): as released.
_base_ = [
    '../_base_/datasets/imagenet_deit.py',
    'mmpretrain::_base_/schedules/imagenet_bs1024_adamw_swin.py',
    '../_base_/runtime/cls.py',
]
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='mmvit.HLGTransformer',
        arch='tiny',
        final_norm=True,
        drop_path_rate=0.1,
        out_indices=(3,),
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=512,
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
custom_hooks = [dict(type='EMAHook', momentum=4e-5, priority='ABOVE_NORMAL')]
auto_scale_lr = dict(base_batch_size=1024, enable=False)
