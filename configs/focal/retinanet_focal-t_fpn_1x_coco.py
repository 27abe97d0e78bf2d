# RetinaNet + Focal-Tiny, 1x. The paper states AdamW, lr 1e-4, weight decay
# 0.05, images of 800 x 1333 and drop path. It does not state batch, steps and
# warm-up (Swin's: 16, epochs 8 and 11, 500 iterations) and what does not decay
# (Swin's: norms and position biases).
_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    'mmdet::_base_/datasets/coco_detection.py',
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
