# PVT-Tiny on ImageNet-1k. The paper states AdamW, lr 1e-3, weight decay 0.05,
# cosine decay, 300 epochs, crop, flip, mixup and label smoothing, and follows
# DeiT for the rest. The release runs DeiT's recipe: strengths, warm-up, drop
# path and the batch of 128 a GPU are taken from it.
_base_ = [
    '../_base_/models/classifier.py',
    '../_base_/datasets/imagenet_deit.py',
    '../_base_/schedules/imagenet_adamw_300e_warmup-5e.py',
    '../_base_/runtime/cls.py',
]
model = dict(
    backbone=dict(
        type='mmvit.PVT', arch='tiny', with_cls_token=True, drop_path_rate=0.1
    ),
    head=dict(in_channels=512),
)
# The release decays the position embeddings, but neither norms, biases nor
# the class token.
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'.cls_token': dict(decay_mult=0.0)})
)
