# Table 6, and Table 5 with pale size 1: single rows and columns.
_base_ = './mask-rcnn_pale-t_fpn_1x_coco.py'
model = dict(
    backbone=dict(
        attn_mode='axial',
        init_cfg=dict(checkpoint='checkpoints/pale_tiny-axial.pth'),
    )
)
