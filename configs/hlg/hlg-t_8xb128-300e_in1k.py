# HLG-Tiny on ImageNet-1k. The paper states AdamW, lr 1e-3, weight decay 0.05,
# cosine decay after 20 epochs of warm-up, 300 epochs, batch 1,024, drop path
# 0.1 (0.3 for Large), crops, flips and mixup, and says that it follows Swin
# and DeiT: the rest of the augmentation is DeiT's. It does not state clipping
# (5) and EMA (0.99996): as released. The average has running statistics of its
# own, since those of the trained weights do not fit it.
_base_ = [
    '../_base_/models/classifier.py',
    '../_base_/datasets/imagenet_deit.py',
    '../_base_/schedules/imagenet_adamw_300e.py',
    '../_base_/runtime/cls.py',
]
model = dict(
    backbone=dict(
        type='mmvit.HLGTransformer',
        arch='tiny',
        final_norm=True,
        drop_path_rate=0.1,
        out_indices=(3,),
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(in_channels=512),
)
optim_wrapper = dict(clip_grad=dict(max_norm=5.0))
custom_hooks = [
    dict(
        type='EMAHook',
        momentum=4e-5,
        update_buffers=True,
        priority='ABOVE_NORMAL',
    )
]
