# Figure 5.
_base_ = './mask-rcnn_focal-t_fpn_1x_coco.py'
weights = dict(checkpoint='checkpoints/focal_tiny-window.pth')
model = dict(backbone=dict(interactions=(), init_cfg=weights))
