# Semantic FPN on the digit scenes: what the quickstart trains, in some four
# minutes on two cores. Crops are smaller than the scenes and the background
# weighs little, since what takes long to learn is which digit it is.
_base_ = [
    '../_base_/models/fpn_pvt_nano.py',
    '../_base_/datasets/digit_scenes_seg.py',
    '../_base_/schedules/adamw_small_iters.py',
    '../_base_/runtime/seg.py',
]
model = dict(
    decode_head=dict(
        num_classes=11,
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
