# Semantic FPN + ScalableViT-S. The paper states AdamW, lr and weight decay
# 1e-4, poly 0.9, 80k iterations of 16 images on 4 GPUs, resizing to 512 x
# 2048 and crops of 512. It does not state the rest: augmentation and test are
# mmseg's.
_base_ = [
    '../_base_/models/fpn_ade20k.py',
    '../_base_/models/scalablevit_small.py',
    'mmseg::_base_/datasets/ade20k.py',
    '../_base_/schedules/fpn_adamw_80k.py',
    '../_base_/runtime/seg.py',
]
model = dict(
    backbone=_base_.scalablevit_small,
    neck=dict(in_channels=[64, 128, 256, 512]),
)
