# RetinaNet + ScalableViT-S, 1x. The paper states AdamW, lr and weight decay
# 1e-4, batch 16 on 8 GPUs, 800 x 1333 pixels, steps at epochs 8 and 11 and
# 500 iterations of warm-up. Its detectors were not released.
_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    'mmdet::_base_/datasets/coco_detection.py',
    '../_base_/models/scalablevit_small.py',
    '../_base_/schedules/detection_adamw_1x.py',
    '../_base_/runtime/det.py',
]
model = dict(
    backbone=_base_.scalablevit_small,
    neck=dict(in_channels=[64, 128, 256, 512]),
)
