# Table 6: attention within whole pales.
_base_ = './mask-rcnn_pale-t_fpn_1x_coco.py'
model = dict(
    backbone=dict(
        attn_mode='pale-vanilla',
        init_cfg=dict(checkpoint='checkpoints/pale_tiny-vanilla.pth'),
    )
)
