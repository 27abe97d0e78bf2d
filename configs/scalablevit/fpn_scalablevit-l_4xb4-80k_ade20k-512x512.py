_base_ = './fpn_scalablevit-s_4xb4-80k_ade20k-512x512.py'
model = dict(
    backbone=dict(
        arch='large',
        drop_path_rate=0.5,
        init_cfg=dict(checkpoint='checkpoints/scalablevit_large.pth'),
    ),
    neck=dict(in_channels=[128, 256, 512, 1024]),
)
