# Figure 5: without ImageNet weights.
_base_ = './retinanet_pvt-t_fpn_ms-3x_coco.py'
model = dict(backbone=dict(arch='small', init_cfg=None))
