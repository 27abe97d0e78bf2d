# Focal-Tiny on ImageNet-1k. The paper states AdamW, lr 1e-3 for 1,024 images,
# weight decay 0.05, a cosine after 20 epochs of warm-up from 1e-5, 300 epochs,
# clipping at 5, drop path, and DeiT's augmentation without random erasing,
# repeated augmentation and EMA. It does not state the last learning rate
# (1e-5) and what does not decay (norms, biases, position biases): Swin's.
_base_ = [
    '../_base_/models/classifier.py',
    '../_base_/datasets/imagenet_no-erasing.py',
    '../_base_/schedules/imagenet_adamw_300e.py',
    '../_base_/runtime/cls.py',
]
model = dict(
    backbone=dict(
        type='mmvit.FocalTransformer',
        arch='tiny',
        drop_path_rate=0.2,
        out_indices=(3,),
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(in_channels=768),
)
optim_wrapper = dict(
    clip_grad=dict(max_norm=5.0),
    paramwise_cfg=dict(custom_keys={'position_bias': dict(decay_mult=0.0)}),
)
param_scheduler = _base_.param_scheduler
param_scheduler[0].start_factor = 1e-2
