# Table 8. The paper ran out of memory here and has no result. It names no
# weights to start from: they are random.
_base_ = './retinanet_vit-s-p32_fpn_1x_coco.py'
model = dict(
    backbone=dict(patch_size=4, init_cfg=None),
    bbox_head=dict(anchor_generator=dict(strides=[4, 8, 16, 32, 64])),
)
