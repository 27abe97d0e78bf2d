# RetinaNet + HLG-Tiny, 1x. The paper states AdamW, lr and weight decay 1e-4,
# batch 16, 12 epochs and multi-scale training with a shorter side of at most
# 800. It is silent on the sizes (640, 672, ..., 800), drop path (0.1, Large
# 0.3) and that norms are not decayed: as released. Steps and warm-up are
# mmdet's.
_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    'mmdet::_base_/datasets/coco_detection.py',
    'mmdet::_base_/schedules/schedule_1x.py',
    '../_base_/runtime/det.py',
]
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmvit.HLGTransformer',
        arch='tiny',
        drop_path_rate=0.1,
        # Written by tools/model_converters/convert_checkpoint.py.
        init_cfg=dict(
            type='Pretrained',
            checkpoint='checkpoints/hlg_tiny.pth',
            prefix='backbone.',
        ),
    ),
    neck=dict(in_channels=[64, 128, 256, 512]),
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='RandomChoiceResize',
        scales=[(1333, side) for side in range(640, 801, 32)],
        keep_ratio=True,
    ),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=1e-4, weight_decay=1e-4),
    paramwise_cfg=dict(norm_decay_mult=0.0),
)
auto_scale_lr = dict(base_batch_size=16, enable=False)
