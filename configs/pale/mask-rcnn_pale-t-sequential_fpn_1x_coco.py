# Table 6: rows and columns in turn, from block to block.
_base_ = './mask-rcnn_pale-t_fpn_1x_coco.py'
model = dict(
    backbone=dict(
        attn_mode='pale-sequential',
        init_cfg=dict(checkpoint='checkpoints/pale_tiny-sequential.pth'),
    )
)
