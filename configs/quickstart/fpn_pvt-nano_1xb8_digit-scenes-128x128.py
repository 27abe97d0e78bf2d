# Semantic FPN on the digit scenes. The quickstart trains it, in about three
# minutes on two cores. To tell the digits apart takes longest to learn, so the
# crops are smaller than the scenes and the background has a small weight.
_base_ = [
    '../_base_/models/fpn_pvt_nano.py',
    '../_base_/datasets/digit_scenes_seg.py',
    '../_base_/schedules/adamw_small_iters.py',
    '../_base_/runtime/seg.py',
]
model = dict(
    decode_head=dict(
        num_classes=11, loss_decode=dict(class_weight=[0.15] + [1.0] * 10)
    )
)
optim_wrapper = dict(optimizer=dict(lr=1.5e-3))
train_cfg = dict(max_iters=1000)
param_scheduler = _base_.param_scheduler
param_scheduler[1].end = 1000
auto_scale_lr = dict(base_batch_size=8, enable=False)
randomness = dict(seed=0)
