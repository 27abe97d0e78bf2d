# Figure 5: without ImageNet weights.
_base_ = './retinanet_pvt-s_fpn_1x_coco.py'
model = dict(backbone=dict(init_cfg=None))
