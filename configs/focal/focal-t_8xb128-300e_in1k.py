# Focal-Tiny on ImageNet-1k. The paper states AdamW, lr 1e-3 for 1,024 images,
# weight decay 0.05, a cosine after 20 epochs of warm-up from 1e-5, 300 epochs,
# clipping at 5, drop path, and DeiT's augmentation without random erasing,
# repeated augmentation and EMA. It is silent on the last learning rate (1e-5)
# and on what does not decay (norms, biases, position biases), both Swin's.
_base_ = [
    'mmpretrain::_base_/datasets/imagenet_bs64_swin_224.py',
    'mmpretrain::_base_/schedules/imagenet_bs1024_adamw_swin.py',
    '../_base_/models/focal_classifier.py',
    '../_base_/runtime/cls.py',
]
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='RandomResizedCrop',
        scale=224,
        backend='pillow',
        interpolation='bicubic',
    ),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(
        type='RandAugment',
        policies='timm_increasing',
        num_policies=2,
        total_level=10,
        magnitude_level=9,
        magnitude_std=0.5,
        hparams=dict(pad_val=[104, 116, 124], interpolation='bicubic'),
    ),
    dict(type='PackInputs'),
]
train_dataloader = dict(batch_size=128, dataset=dict(pipeline=train_pipeline))
optim_wrapper = dict(
    clip_grad=dict(max_norm=5.0),
    paramwise_cfg=dict(custom_keys={'position_bias': dict(decay_mult=0.0)}),
)
param_scheduler = [
    dict(
        type='LinearLR', start_factor=1e-2, end=20, convert_to_iter_based=True
    ),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=20),
]
auto_scale_lr = dict(base_batch_size=1024, enable=False)
