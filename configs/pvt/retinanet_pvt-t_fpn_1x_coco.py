# RetinaNet + PVT-Tiny, 1x. The paper states AdamW, lr 1e-4, batch 16 on 8
# GPUs and images of 800 x 1333. The release has weight decay 1e-4 on all
# parameters, the warm-up, steps and flip, and drop path 0.1 for Tiny and Small
# and none for Medium and Large.
_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    'mmdet::_base_/datasets/coco_detection.py',
    '../_base_/models/pvt_tiny.py',
    '../_base_/schedules/detection_adamw_1x.py',
    '../_base_/runtime/det.py',
]
model = dict(
    backbone=_base_.pvt_tiny, neck=dict(in_channels=[64, 128, 320, 512])
)
