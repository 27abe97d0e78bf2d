_base_ = './retinanet_pvt-t_fpn_1x_coco.py'
model = dict(
    backbone=dict(
        arch='large',
        drop_path_rate=0.0,
        init_cfg=dict(checkpoint='checkpoints/pvt_large.pth'),
    )
)
