_base_ = './mask-rcnn_hlg-t_fpn_ms-1x_coco.py'
model = dict(
    backbone=dict(
        arch='large',
        drop_path_rate=0.3,
        init_cfg=dict(checkpoint='checkpoints/hlg_large.pth'),
    ),
    neck=dict(in_channels=[128, 256, 512, 1024]),
)
