# Mask R-CNN + HLG-Tiny: all as in retinanet_hlg-t_fpn_ms-1x_coco.py.
_base_ = [
    'mmdet::_base_/models/mask-rcnn_r50_fpn.py',
    'mmdet::_base_/datasets/coco_instance.py',
    '../_base_/models/hlg_tiny.py',
    '../_base_/schedules/detection_adamw_1x.py',
    '../_base_/runtime/det.py',
]
model = dict(
    backbone=_base_.hlg_tiny, neck=dict(in_channels=[64, 128, 256, 512])
)
scales = [(1333, side) for side in range(640, 801, 32)]
train_pipeline = _base_.train_pipeline
train_pipeline[2] = dict(
    type='RandomChoiceResize', scales=scales, keep_ratio=True
)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
optim_wrapper = dict(paramwise_cfg=dict(norm_decay_mult=0.0))
