# Semantic FPN + PVT-Tiny. The paper states AdamW, lr 1e-4, poly 0.9, 80k
# iterations of 16 images on 4 GPUs. Weight decay 1e-4 on all parameters, the
# augmentation and drop path 0.1 for all sizes are the release's. So is the
# test, which rounds both sides up to multiples of 32; the paper says that the
# shorter side has 512 pixels.
_base_ = [
    '../_base_/models/fpn_ade20k.py',
    '../_base_/models/pvt_tiny.py',
    'mmseg::_base_/datasets/ade20k.py',
    '../_base_/schedules/fpn_adamw_80k.py',
    '../_base_/runtime/seg.py',
]
model = dict(
    backbone=_base_.pvt_tiny, neck=dict(in_channels=[64, 128, 320, 512])
)
test_pipeline = _base_.test_pipeline
test_pipeline.insert(2, dict(type='ResizeToMultiple', size_divisor=32))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
