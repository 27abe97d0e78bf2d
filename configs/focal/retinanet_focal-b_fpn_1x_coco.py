_base_ = './retinanet_focal-t_fpn_1x_coco.py'
weights = dict(checkpoint='checkpoints/focal_base.pth')
model = dict(
    backbone=dict(arch='base', drop_path_rate=0.5, init_cfg=weights),
    neck=dict(in_channels=[128, 256, 512, 1024]),
)
