# Semantic FPN + ScalableViT-S. The paper states AdamW, lr and weight decay
# 1e-4, poly 0.9, 80k iterations of 16 images on 4 GPUs and, in Appendix C, a
# shorter side of 512, a longer one of at most 2048 and crops of 512. It does
# not state the rest: flip, distortion of colours and test are mmseg's.
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
_train_pipeline_ms = _base_.train_pipeline  # mmseg's, with random ratios
fixed = dict(type='Resize', scale=(2048, 512), keep_ratio=True)
train_pipeline = [*_train_pipeline_ms[:2], fixed, *_train_pipeline_ms[3:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
