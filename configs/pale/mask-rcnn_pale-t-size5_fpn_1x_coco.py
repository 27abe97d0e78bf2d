# Table 5: pales of 5 rows and 5 columns.
_base_ = './mask-rcnn_pale-t_fpn_1x_coco.py'
model = dict(
    backbone=dict(
        overrides=dict(pale_sizes=(5, 5, 5, 5)),
        init_cfg=dict(checkpoint='checkpoints/pale_tiny-size5.pth'),
    )
)
