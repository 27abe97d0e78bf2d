_base_ = './retinanet_swin-t_fpn_ms-3x_coco.py'
weights = dict(checkpoint=_base_.pretrained.replace('tiny', 'base'))
size = dict(embed_dims=128, depths=[2, 2, 18, 2], num_heads=[4, 8, 16, 32])
model = dict(
    backbone=dict(**size, drop_path_rate=0.5, init_cfg=weights),
    neck=dict(in_channels=[256, 512, 1024]),
)
