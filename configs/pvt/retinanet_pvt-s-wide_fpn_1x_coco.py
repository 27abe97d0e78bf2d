# Table 9, with the weights of pvt-s-wide_8xb128-300e_in1k.py. Drop path is
# PVT-Small's.
_base_ = './retinanet_pvt-t_fpn_1x_coco.py'
weights = dict(checkpoint='checkpoints/pvt_small-wide.pth')
model = dict(
    backbone=dict(arch='small-wide', init_cfg=weights),
    neck=dict(in_channels=[89, 178, 445, 712]),
)
