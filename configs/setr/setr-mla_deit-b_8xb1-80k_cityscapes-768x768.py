_base_ = './setr-mla_vit-b_8xb1-80k_cityscapes-768x768.py'
model = dict(
    backbone=dict(
        init_cfg=dict(checkpoint='checkpoints/deit_base_distilled_384.pth')
    )
)
