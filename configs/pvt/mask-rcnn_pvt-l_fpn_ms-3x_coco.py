_base_ = './mask-rcnn_pvt-t_fpn_ms-3x_coco.py'
model = dict(
    backbone=dict(
        arch='large',
        drop_path_rate=0.0,
        init_cfg=dict(checkpoint='checkpoints/pvt_large.pth'),
    )
)
