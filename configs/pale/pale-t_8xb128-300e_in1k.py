# Pale-T on ImageNet-1k. The paper states 300 epochs from scratch and a batch
# of 1,024 on 8 GPUs, and nothing else. The rest is taken from CSWin, its
# closest relative: AdamW, lr 1e-3, weight decay 0.05 except for norms and
# biases, cosine decay after 20 epochs of warm-up, EMA 0.99984, drop path 0.2 /
# 0.4 / 0.5, and DeiT's augmentation without repeated images.
_base_ = [
    '../_base_/models/classifier.py',
    'mmpretrain::_base_/datasets/imagenet_bs64_swin_224.py',
    '../_base_/schedules/imagenet_adamw_300e.py',
    '../_base_/runtime/cls.py',
]
model = dict(
    backbone=dict(
        type='mmvit.PaleTransformer',
        arch='tiny',
        drop_path_rate=0.2,
        out_indices=(3,),
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(in_channels=512),
)
train_dataloader = dict(batch_size=128)
custom_hooks = [dict(type='EMAHook', momentum=1.6e-4, update_buffers=True)]
