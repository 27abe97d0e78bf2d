# Conditional DETR on the digit scenes: 64 tokens of stride 16. It has DETR's
# transformer, matching and set loss, but each query has a position, from which
# its attention and its box start.
_base_ = [
    '../_base_/models/conditional-detr_pvt_nano.py',
    '../_base_/datasets/digit_scenes_det.py',
    '../_base_/schedules/adamw_small_epochs.py',
    '../_base_/runtime/det.py',
]
optim_wrapper = dict(optimizer=dict(lr=3e-4, weight_decay=1e-4))
train_cfg = dict(max_epochs=10)
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = 10
default_hooks = dict(
    logger=dict(interval=50),
    checkpoint=dict(max_keep_ckpts=2, save_best='coco/bbox_mAP'),
)
auto_scale_lr = dict(base_batch_size=8, enable=False)
randomness = dict(seed=0)
