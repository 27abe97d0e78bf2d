# RetinaNet + HLG-Tiny, 1x. The paper states AdamW, lr and weight decay 1e-4,
# batch 16, 12 epochs and multi-scale training with a shorter side of at most
# 800. It does not state the sizes (640, 672, ..., 800), drop path (0.1, Medium
# and Large 0.3) and that norms do not decay: as released. Steps and warm-up
# are mmdet's, and so are the first weights of new layers: Xavier, which the
# paper states, for the FPN, but normal for the head, as focal loss needs it.
_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    'mmdet::_base_/datasets/coco_detection.py',
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
