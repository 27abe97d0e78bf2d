# Table 9. No weights were published: train pvt-s-wide_8xb128-300e_in1k.py.
_base_ = './retinanet_pvt-t_fpn_1x_coco.py'
checkpoint = 'checkpoints/pvt_small-wide.pth'
model = dict(
    backbone=dict(arch='small-wide', init_cfg=dict(checkpoint=checkpoint)),
    neck=dict(in_channels=[89, 178, 445, 712]),
)
