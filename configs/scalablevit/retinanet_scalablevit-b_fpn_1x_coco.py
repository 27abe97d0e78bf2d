_base_ = './retinanet_scalablevit-s_fpn_1x_coco.py'
model = dict(
    backbone=dict(
        arch='base',
        drop_path_rate=0.5,
        init_cfg=dict(checkpoint='checkpoints/scalablevit_base.pth'),
    ),
    neck=dict(in_channels=[96, 192, 384, 768]),
)
