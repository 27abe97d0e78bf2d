# HTC without its semantic branch, with a small Focal Transformer. Neck and RPN
# are those of mask-rcnn_pvt_nano.py.
_base_ = ['./mask-rcnn_pvt_nano.py', './focal_nano.py']
bbox_heads = [
    dict(
        type='Shared2FCBBoxHead',
        in_channels=64,
        fc_out_channels=256,
        roi_feat_size=7,
        num_classes=10,
        bbox_coder=dict(
            type='DeltaXYWHBBoxCoder', target_stds=[xy, xy, size, size]
        ),
        reg_class_agnostic=True,
        loss_cls=dict(type='CrossEntropyLoss'),
        loss_bbox=dict(type='SmoothL1Loss', beta=1.0),
    )
    for xy, size in ((0.1, 0.2), (0.05, 0.1), (0.033, 0.067))
]
mask_heads = [
    dict(
        type='HTCMaskHead',
        with_conv_res=stage > 0,
        num_convs=2,
        in_channels=64,
        conv_out_channels=64,
        num_classes=10,
        loss_mask=dict(type='CrossEntropyLoss', use_mask=True),
    )
    for stage in range(3)
]
stages = [
    dict(
        assigner=dict(
            type='MaxIoUAssigner',
            pos_iou_thr=iou,
            neg_iou_thr=iou,
            min_pos_iou=iou,
        ),
        sampler=dict(
            type='RandomSampler',
            num=24,
            pos_fraction=0.25,
            add_gt_as_proposals=True,
        ),
        mask_size=28,
        pos_weight=-1,
    )
    for iou in (0.5, 0.6, 0.7)
]
model = dict(
    type='HybridTaskCascade',
    backbone=_base_.focal_nano,
    roi_head=dict(
        type='HybridTaskCascadeRoIHead',
        num_stages=3,
        stage_loss_weights=[1, 0.5, 0.25],
        interleaved=True,
        mask_info_flow=True,
        bbox_head=bbox_heads,
        mask_head=mask_heads,
    ),
    train_cfg=dict(rcnn=stages),
)
