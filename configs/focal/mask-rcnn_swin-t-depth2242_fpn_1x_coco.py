# Table 9, four blocks in stage 3, with the weights of
# swin-t-depth2242_16xb64-300e_in1k.py
_base_ = './mask-rcnn_swin-t-depth2222_fpn_1x_coco.py'
model = dict(
    backbone=dict(
        arch=dict(depths=[2, 2, 4, 2]),
        init_cfg=dict(checkpoint='checkpoints/swin_tiny-depth2242.pth'),
    )
)
