_base_ = './setr-pup_vit-l_8xb2-160k_ade20k-512x512.py'
model = dict(
    backbone=dict(
        with_cls_token=True,
        relative_position=True,
        layer_scale=1e-5,
        init_cfg=dict(checkpoint='checkpoints/beit_large_22k.pth'),
    )
)
