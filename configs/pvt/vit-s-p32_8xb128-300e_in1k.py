# ImageNet weights for the detector of Table 8. The paper does not say how
# ViT-Small/32 was pre-trained; this is PVT-Small's recipe.
_base_ = [
    '../_base_/models/classifier.py',
    '../_base_/datasets/imagenet_deit.py',
    '../_base_/schedules/imagenet_adamw_300e_warmup-5e.py',
    '../_base_/runtime/cls.py',
]
model = dict(
    backbone=dict(
        type='VisionTransformer',
        arch='small',
        patch_size=32,
        qkv_bias=False,
        drop_path_rate=0.1,
    ),
    head=dict(in_channels=768),
)
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'.cls_token': dict(decay_mult=0.0)})
)
