# PVT-Tiny on ImageNet-1k. The paper states AdamW, lr 1e-3, weight decay 0.05,
# cosine decay, 300 epochs, crop, flip, mixup and label smoothing, and follows
# DeiT for the rest. Strengths, warm-up, drop path and the batch (128 a GPU)
# are those of the authors' release, which runs DeiT's recipe.
_base_ = [
    '../_base_/datasets/imagenet_deit.py',
    '../_base_/schedules/imagenet_adamw_300e_warmup-5e.py',
    '../_base_/runtime/cls.py',
]
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='mmvit.PVT', arch='tiny', with_cls_token=True, drop_path_rate=0.1
    ),
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
# The release decays the position tables, but neither norms, biases nor token.
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'.cls_token': dict(decay_mult=0.0)})
)
