# Table 12: a depth-wise convolution makes a window one token.
_base_ = './retinanet_hlg-t_fpn_ms-1x_coco.py'
model = dict(
    backbone=dict(
        window_embedding='dwconv',
        init_cfg=dict(checkpoint='checkpoints/hlg_tiny-dwconv.pth'),
    )
)
