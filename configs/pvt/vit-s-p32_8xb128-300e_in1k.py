# ImageNet weights for Table 8's detector. Not a row of the paper, which does
# not say how ViT-Small/32 was pre-trained: PVT-Small's recipe is used.
_base_ = './pvt-t_8xb128-300e_in1k.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='VisionTransformer',
        arch='small',
        patch_size=32,
        qkv_bias=False,
        drop_path_rate=0.1,
    ),
    head=dict(in_channels=768),
)
