# Figure 5.
_base_ = './mask-rcnn_focal-t_fpn_1x_coco.py'
weights = dict(checkpoint='checkpoints/focal_tiny-local.pth')
model = dict(backbone=dict(interactions=('local',), init_cfg=weights))
