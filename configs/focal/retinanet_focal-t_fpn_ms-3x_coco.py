# 36 epochs, shorter side from [480, 800], all else as
# 1x.
_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    '../_base_/datasets/coco_detection_ms.py',
    '../_base_/schedules/detection_3x.py',
    '../_base_/models/focal_detection.py',
    '../_base_/runtime/det.py',
]
model = dict(
    backbone={{_base_.focal_detection}},
    neck=dict(in_channels=[96, 192, 384, 768]),
)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=1e-4, weight_decay=0.05),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        custom_keys={'position_bias': dict(decay_mult=0.0)},
    ),
)
auto_scale_lr = dict(base_batch_size=16, enable=False)
