_base_ = './mask-rcnn_focal-t_fpn_1x_coco.py'
base = dict(checkpoint='checkpoints/focal_base.pth')
model = dict(
    backbone=dict(arch='base', drop_path_rate=0.5, init_cfg=base),
    neck=dict(in_channels=[128, 256, 512, 1024]),
)
