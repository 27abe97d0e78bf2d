_base_ = './pup_hlg-s_8xb2-adamw-40k_cityscapes-768x768.py'
model = dict(
    backbone=dict(
        arch='medium',
        init_cfg=dict(checkpoint='checkpoints/hlg_medium.pth'),
    )
)
