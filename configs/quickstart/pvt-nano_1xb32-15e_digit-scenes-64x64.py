# A classifier of single digits on photographs.
_base_ = [
    '../_base_/models/cls_pvt_nano.py',
    '../_base_/datasets/own_cls.py',
    '../_base_/schedules/adamw_small_epochs.py',
    '../_base_/runtime/cls.py',
]
classes = tuple('0123456789')
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=64, crop_ratio_range=(0.7, 1.0)),
    dict(type='ColorJitter', brightness=0.3, contrast=0.3, saturation=0.3),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(64, 64)),
    dict(type='PackInputs'),
]
own = dict(
    data_root='data/digit_scenes/classification/',
    metainfo=dict(classes=classes),
)
train_dataloader = dict(dataset=dict(**own, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(**own, pipeline=test_pipeline))
test_dataloader = val_dataloader

model = dict(head=dict(num_classes=len(classes)))
train_cfg = dict(max_epochs=15)
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = 15
default_hooks = dict(logger=dict(interval=20))
auto_scale_lr = dict(base_batch_size=32, enable=False)
randomness = dict(seed=0)
