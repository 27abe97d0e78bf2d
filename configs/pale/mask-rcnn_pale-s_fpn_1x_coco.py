_base_ = './mask-rcnn_pale-t_fpn_1x_coco.py'
model = dict(
    backbone=dict(
        arch='small',
        drop_path_rate=0.4,
        init_cfg=dict(checkpoint='checkpoints/pale_small.pth'),
    ),
    neck=dict(in_channels=[96, 192, 384, 768]),
)
