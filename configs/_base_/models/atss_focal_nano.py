# ATSS with a dynamic head of one block and a small Focal Transformer. The
# deformable convolutions of the head take most of the time on a CPU.
_base_ = ['./retinanet_pvt_nano.py', './focal_nano.py']
model = dict(
    type='ATSS',
    backbone=dict(_base_.focal_nano, out_indices=(1, 2, 3)),
    neck=[
        dict(
            type='FPN',
            in_channels=[64, 128, 256],
            out_channels=48,
            norm_cfg=dict(type='BN'),
            num_outs=3,
        ),
        dict(
            type='DyHead',
            in_channels=48,
            out_channels=48,
            num_blocks=1,
            zero_init_offset=False,
        ),
    ],
    bbox_head=dict(
        _delete_=True,
        type='ATSSHead',
        num_classes=10,
        in_channels=48,
        pred_kernel_size=1,
        stacked_convs=0,
        feat_channels=48,
        anchor_generator=dict(
            type='AnchorGenerator',
            ratios=[1.0],
            octave_base_scale=4,
            scales_per_octave=1,
            strides=[8, 16, 32],
            center_offset=0.5,
        ),
        bbox_coder=dict(
            type='DeltaXYWHBBoxCoder', target_stds=[0.1, 0.1, 0.2, 0.2]
        ),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True),
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
        loss_centerness=dict(type='CrossEntropyLoss', use_sigmoid=True),
    ),
    train_cfg=dict(
        _delete_=True,
        assigner=dict(type='ATSSAssigner', topk=9),
        allowed_border=-1,
        pos_weight=-1,
    ),
    test_cfg=dict(nms=dict(type='nms', iou_threshold=0.6)),
)
