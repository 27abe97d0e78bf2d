_base_ = './pup_hlg-s_4xb2-40k_cityscapes-768x768.py'
model = dict(
    backbone=dict(
        arch='medium',
        init_cfg=dict(checkpoint='checkpoints/hlg_medium.pth'),
    )
)
