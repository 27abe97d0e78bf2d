# Table 5: pales of 3 rows and 3 columns.
_base_ = './mask-rcnn_pale-t_fpn_1x_coco.py'
model = dict(
    backbone=dict(
        overrides=dict(pale_sizes=(3, 3, 3, 3)),
        init_cfg=dict(checkpoint='checkpoints/pale_tiny-size3.pth'),
    )
)
