# Mask R-CNN + Pale-T, 1x. The paper states 12 epochs and nothing else. CSWin
# has AdamW, lr 1e-4 for 16 images and weight decay 0.05 except for norms;
# steps, warm-up and sizes are mmdet's.
_base_ = [
    'mmdet::_base_/models/mask-rcnn_r50_fpn.py',
    'mmdet::_base_/datasets/coco_instance.py',
    '../_base_/models/pale_tiny.py',
    '../_base_/schedules/detection_adamw_1x.py',
    '../_base_/runtime/det.py',
]
model = dict(
    backbone=_base_.pale_tiny, neck=dict(in_channels=[64, 128, 256, 512])
)
optim_wrapper = dict(
    optimizer=dict(weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0.0),
)
