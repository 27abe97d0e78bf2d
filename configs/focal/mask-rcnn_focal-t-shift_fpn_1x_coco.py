# Table 8: every second block shifts its windows.
_base_ = './mask-rcnn_focal-t_fpn_1x_coco.py'
weights = dict(checkpoint='checkpoints/focal_tiny-shift.pth')
model = dict(backbone=dict(with_shift=True, init_cfg=weights))
