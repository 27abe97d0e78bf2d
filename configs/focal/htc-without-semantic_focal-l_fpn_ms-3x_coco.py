# HTC++ with Focal-Large, pre-trained on ImageNet-22K, without the semantic
# branch, so that it needs no stuff maps. The paper states soft-NMS,
# InstaBoost, a shorter side from [400, 1400] with the longer one at most 1600,
# AdamW, lr 1e-4, weight decay 0.1 and the standard 3x. It is silent on batch
# and on what does not decay (Swin's), on drop path (0.2, as Swin-L's detectors
# have it), on InstaBoost's settings (mmdet's) and on the sizes of the test
# (mmdet's 1333 x 800; --tta: five sizes, flipped). InstaBoost
# needs the package instaboostfast.
_base_ = [
    'mmdet::htc/htc-without-semantic_r50_fpn_1x_coco.py',
    '../_base_/models/focal_detection.py',
    '../_base_/runtime/guards.py',
]
model = dict(
    backbone={{_base_.focal_detection_large}},
    neck=dict(in_channels=[192, 384, 768, 1536]),
    test_cfg=dict(rcnn=dict(nms=dict(type='soft_nms'))),
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='InstaBoost'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(
        type='RandomResize', scale=[(1600, 400), (1600, 1400)], keep_ratio=True
    ),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
train_cfg = dict(max_epochs=36)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, end=500),
    dict(type='MultiStepLR', end=36, milestones=[27, 33], gamma=0.1),
]
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=1e-4, weight_decay=0.1),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        custom_keys={'position_bias': dict(decay_mult=0.0)},
    ),
)
auto_scale_lr = dict(base_batch_size=16, enable=False)
tta_model = dict(
    type='mmvit.InstanceTTAModel',
    tta_cfg=dict(
        nms=dict(type='soft_nms', iou_threshold=0.5), max_per_img=100
    ),
)
sizes = [
    dict(type='Resize', scale=(1600, side), keep_ratio=True)
    for side in (600, 800, 1000, 1200, 1400)
]
flips = [dict(type='RandomFlip', prob=prob) for prob in (0.0, 1.0)]
pack = dict(
    type='PackDetInputs',
    meta_keys=(
        'img_id',
        'img_path',
        'ori_shape',
        'img_shape',
        'scale_factor',
        'flip',
        'flip_direction',
    ),
)
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='TestTimeAug', transforms=[sizes, flips, [pack]]),
]
