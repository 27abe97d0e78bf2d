# Table 6: stripes of 7 rows and of 7 columns, as CSWin has them.
_base_ = './mask-rcnn_pale-t_fpn_1x_coco.py'
model = dict(
    backbone=dict(
        attn_mode='cross-shaped',
        init_cfg=dict(checkpoint='checkpoints/pale_tiny-cross-shaped.pth'),
    )
)
