# Pale-T on ImageNet-1k. The paper states 300 epochs from scratch and a batch
# of 1,024 on 8 GPUs, and is silent on all else. Taken from CSWin, its closest
# relative: AdamW, lr 1e-3, weight decay 0.05 except for norms and biases,
# cosine decay after 20 epochs of warm-up, EMA 0.99984, drop path 0.2 / 0.4 /
# 0.5; DeiT's augmentation without repeated images.
_base_ = [
    'mmpretrain::_base_/datasets/imagenet_bs64_swin_224.py',
    'mmpretrain::_base_/schedules/imagenet_bs1024_adamw_swin.py',
    '../_base_/runtime/cls.py',
]
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='mmvit.PaleTransformer',
        arch='tiny',
        drop_path_rate=0.2,
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
train_dataloader = dict(batch_size=128)
custom_hooks = [dict(type='EMAHook', momentum=1.6e-4, update_buffers=True)]
auto_scale_lr = dict(base_batch_size=1024, enable=False)
