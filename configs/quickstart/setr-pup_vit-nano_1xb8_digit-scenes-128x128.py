# SETR-PUP on the digit scenes: no pyramid, patches of 8 pixels, and a decoder
# that doubles the map three times.
_base_ = [
    '../_base_/models/setr-pup_vit_nano.py',
    '../_base_/datasets/digit_scenes_seg.py',
    '../_base_/schedules/adamw_small_iters.py',
    '../_base_/runtime/seg.py',
]
model = dict(
    decode_head=dict(
        num_classes=11, loss_decode=dict(class_weight=[0.15] + [1.0] * 10)
    )
)
auto_scale_lr = dict(base_batch_size=8, enable=False)
randomness = dict(seed=0)
