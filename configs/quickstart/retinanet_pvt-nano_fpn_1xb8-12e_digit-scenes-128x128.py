# RetinaNet on the digit scenes.
_base_ = [
    '../_base_/models/retinanet_pvt_nano.py',
    '../_base_/datasets/digit_scenes_det.py',
    '../_base_/schedules/adamw_small_epochs.py',
    '../_base_/runtime/det.py',
]
model = dict(bbox_head=dict(num_classes=10))
default_hooks = dict(
    logger=dict(interval=50),
    checkpoint=dict(max_keep_ckpts=2, save_best='coco/bbox_mAP'),
)
auto_scale_lr = dict(base_batch_size=8, enable=False)
randomness = dict(seed=0)
