# Semantic FPN on the digit scenes: what the quickstart trains.
_base_ = [
    'mmseg::_base_/models/fpn_r50.py',
    '../_base_/models/pvt_nano.py',
    '../_base_/datasets/own_seg.py',
    '../_base_/schedules/adamw_small_iters.py',
    '../_base_/runtime/seg.py',
]
data_root = 'data/digit_scenes/'
classes = ('background', *'0123456789')
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomCrop', crop_size=(96, 96)),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
own = dict(
    data_root=data_root,
    metainfo=dict(classes=classes),
    reduce_zero_label=True,
)
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        **own,
        data_prefix=dict(
            img_path='images/training', seg_map_path='annotations/training'
        ),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=8,
    dataset=dict(
        **own,
        data_prefix=dict(
            img_path='images/validation',
            seg_map_path='annotations/validation',
        ),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

model = dict(
    data_preprocessor=dict(size_divisor=32),
    pretrained=None,
    backbone=dict(
        _delete_=True,
        type='mmvit.PVT',
        arch={{_base_.pvt_nano}},
        img_size=128,
        drop_path_rate=0.0,
    ),
    neck=dict(
        in_channels=[32, 64, 128, 256],
        out_channels=48,
        norm_cfg=dict(type='BN'),
        act_cfg=dict(type='ReLU'),
    ),
    decode_head=dict(
        in_channels=[48, 48, 48, 48],
        channels=48,
        num_classes=len(classes),
        loss_decode=dict(class_weight=[0.15] + [1.0] * 10),
    ),
)
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    checkpoint=dict(
        type='CheckpointHook',
        by_epoch=False,
        interval=500,
        max_keep_ckpts=2,
        save_best='mIoU',
    ),
)
randomness = dict(seed=0)
