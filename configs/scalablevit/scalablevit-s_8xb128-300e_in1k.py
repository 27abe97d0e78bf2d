# ScalableViT-S on ImageNet-1k. The paper states AdamW, lr 1e-3, weight decay
# 0.05, cosine decay after 5 epochs of warm-up, 300 epochs, batch 1,024, drop
# path and DeiT's augmentation, whose strengths are taken from DeiT. It does
# not state clipping (5) and the width of the two-layer head (4,096): as
# released.
_base_ = [
    '../_base_/models/classifier.py',
    '../_base_/datasets/imagenet_deit.py',
    '../_base_/schedules/imagenet_adamw_300e_warmup-5e.py',
    '../_base_/runtime/cls.py',
]
model = dict(
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
        in_channels=512,
        mid_channels=[4096],
        norm_cfg=dict(type='LN', eps=1e-6),
        act_cfg=dict(type='GELU'),
    ),
)
optim_wrapper = dict(clip_grad=dict(max_norm=5.0))
