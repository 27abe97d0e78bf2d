# RetinaNet on the digit scenes.
_base_ = [
    '../_base_/models/retinanet_pvt_nano.py',
    '../_base_/datasets/own_det.py',
    '../_base_/schedules/adamw_small_epochs.py',
    '../_base_/runtime/det.py',
]
data_root = 'data/digit_scenes/'
classes = tuple('0123456789')
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(128, 128), keep_ratio=True),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(128, 128), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs'),
]
own = dict(data_root=data_root, metainfo=dict(classes=classes))
train_dataloader = dict(
    batch_size=8, dataset=dict(**own, pipeline=train_pipeline)
)
val_dataloader = dict(
    batch_size=8, dataset=dict(**own, pipeline=test_pipeline)
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'annotations/instances_val.json')
test_evaluator = val_evaluator

model = dict(bbox_head=dict(num_classes=len(classes)))
default_hooks = dict(
    logger=dict(interval=50),
    checkpoint=dict(max_keep_ckpts=2, save_best='coco/bbox_mAP'),
)
auto_scale_lr = dict(base_batch_size=8, enable=False)
randomness = dict(seed=0)
