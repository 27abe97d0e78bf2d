# Mask R-CNN + Focal-Tiny, 1x: all else as in retinanet_focal-t_fpn_1x_coco.py.
_base_ = [
    'mmdet::_base_/models/mask-rcnn_r50_fpn.py',
    'mmdet::_base_/datasets/coco_instance.py',
    '../_base_/models/focal_detection.py',
    '../_base_/schedules/detection_adamw_1x.py',
    '../_base_/runtime/det.py',
]
model = dict(
    backbone=_base_.focal_detection,
    neck=dict(in_channels=[96, 192, 384, 768]),
)
optim_wrapper = dict(
    optimizer=dict(weight_decay=0.05),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        custom_keys={'position_bias': dict(decay_mult=0.0)},
    ),
)
