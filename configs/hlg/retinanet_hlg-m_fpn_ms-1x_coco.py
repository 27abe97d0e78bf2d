_base_ = './retinanet_hlg-t_fpn_ms-1x_coco.py'
model = dict(
    backbone=dict(
        arch='medium',
        drop_path_rate=0.3,
        init_cfg=dict(checkpoint='checkpoints/hlg_medium.pth'),
    ),
    neck=dict(in_channels=[96, 192, 384, 768]),
)
