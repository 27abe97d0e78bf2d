# HTC++ with Focal-Large, pre-trained on ImageNet-22K, without the semantic
# branch and the stuff maps that it needs. The paper states soft-NMS,
# InstaBoost, a shorter side from 400 to 1400 with the longer one at most 1600,
# AdamW, lr 1e-4, weight decay 0.1 and the standard 3x. It does not state the
# batch and what does not decay (Swin's), drop path (0.2, as Swin-L's detectors
# have it), InstaBoost's settings (mmdet's) and the sizes of the test (mmdet's
# 1333 x 800; with --tta five sizes, flipped). InstaBoost needs the package
# instaboostfast.
_base_ = [
    'mmdet::htc/htc-without-semantic_r50_fpn_1x_coco.py',
    '../_base_/datasets/coco_ms-test.py',
    '../_base_/models/focal_detection.py',
    '../_base_/runtime/guards.py',
]
model = dict(
    backbone=_base_.focal_detection_large,
    neck=dict(in_channels=[192, 384, 768, 1536]),
    test_cfg=dict(rcnn=dict(nms=dict(type='soft_nms'))),
)
scales = [(1600, 400), (1600, 1400)]
train_pipeline = _base_.train_pipeline
train_pipeline[2] = dict(type='RandomResize', scale=scales, keep_ratio=True)
train_pipeline.insert(1, dict(type='InstaBoost'))
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
train_cfg = dict(max_epochs=36)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=36, milestones=[27, 33])
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=1e-4, weight_decay=0.1),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        custom_keys={'position_bias': dict(decay_mult=0.0)},
    ),
)
auto_scale_lr = dict(base_batch_size=16, enable=False)
soft_nms = dict(type='soft_nms', iou_threshold=0.5)
tta_model = dict(
    type='mmvit.InstanceTTAModel',
    tta_cfg=dict(nms=soft_nms, max_per_img=100),
)
