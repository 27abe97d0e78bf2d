# Semantic FPN on the digit scenes: what the quickstart trains, in some four
# minutes on two cores. Crops are smaller than the scenes and the background
# weighs little, since what takes long to learn is which digit it is.
_base_ = [
    '../_base_/models/fpn_pvt_nano.py',
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
    decode_head=dict(
        num_classes=len(classes),
        loss_decode=dict(class_weight=[0.15] + [1.0] * 10),
    )
)
optim_wrapper = dict(optimizer=dict(lr=1.5e-3))
train_cfg = dict(max_iters=1500, val_interval=500)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, end=100, by_epoch=False),
    dict(type='PolyLR', power=0.9, begin=100, end=1500, by_epoch=False),
]
auto_scale_lr = dict(base_batch_size=8, enable=False)
randomness = dict(seed=0)
