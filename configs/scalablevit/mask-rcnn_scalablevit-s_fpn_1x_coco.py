# Mask R-CNN + ScalableViT-S, 1x: lr 2e-4 (Table 8), all else as in
# retinanet_scalablevit-s_fpn_1x_coco.py.
_base_ = [
    'mmdet::_base_/models/mask-rcnn_r50_fpn.py',
    'mmdet::_base_/datasets/coco_instance.py',
    '../_base_/models/scalablevit_small.py',
    '../_base_/schedules/detection_adamw_1x.py',
    '../_base_/runtime/det.py',
]
model = dict(
    backbone=_base_.scalablevit_small,
    neck=dict(in_channels=[64, 128, 256, 512]),
)
optim_wrapper = dict(optimizer=dict(lr=2e-4))
