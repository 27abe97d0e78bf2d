_base_ = './fpn_pvt-t_4xb4-80k_ade20k-512x512.py'
model = dict(
    backbone=dict(
        arch='medium', init_cfg=dict(checkpoint='checkpoints/pvt_medium.pth')
    )
)
