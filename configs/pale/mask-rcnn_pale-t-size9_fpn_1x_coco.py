# Table 5: pales of 9 rows and 9 columns.
_base_ = './mask-rcnn_pale-t_fpn_1x_coco.py'
model = dict(
    backbone=dict(
        overrides=dict(pale_sizes=(9, 9, 9, 9)),
        init_cfg=dict(checkpoint='checkpoints/pale_tiny-size9.pth'),
    )
)
