# DETR on the digit scenes at half their size: 64 tokens of stride 8. Its
# queries learn last where to look. All whole scenes hold about the same number
# of digits; on them alone, DETR does not learn it within 20 CPU minutes. On
# crops of all sizes it does.
_base_ = [
    '../_base_/models/detr_pvt_nano.py',
    '../_base_/datasets/digit_scenes_det.py',
    '../_base_/schedules/adamw_small_epochs.py',
    '../_base_/runtime/det.py',
]
size = (64, 64)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomCrop', crop_type='absolute_range', crop_size=(32, 128)),
    dict(type='FilterAnnotations', min_gt_bbox_wh=(8, 8), keep_empty=False),
    dict(type='Resize', scale=size, keep_ratio=False),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=size, keep_ratio=False),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=5e-4, weight_decay=1e-4))
train_cfg = dict(max_epochs=24, val_interval=4)
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = 24
default_hooks = dict(
    logger=dict(interval=50),
    checkpoint=dict(max_keep_ckpts=2, save_best='coco/bbox_mAP'),
)
auto_scale_lr = dict(base_batch_size=16, enable=False)
randomness = dict(seed=0)
