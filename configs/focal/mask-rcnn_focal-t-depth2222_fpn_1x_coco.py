# Table 9.
_base_ = './mask-rcnn_focal-t_fpn_1x_coco.py'
weights = dict(checkpoint='checkpoints/focal_tiny-depth2222.pth')
model = dict(
    backbone=dict(overrides=dict(depths=(2, 2, 2, 2)), init_cfg=weights)
)
