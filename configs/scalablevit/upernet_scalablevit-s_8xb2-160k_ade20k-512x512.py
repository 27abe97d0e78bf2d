# UperNet + ScalableViT-S. The paper states AdamW, lr 6e-5, weight decay 0.01,
# poly 1.0, 160k iterations of 16 images on 8 GPUs and, in Appendix C, a
# shorter side of 512, a longer one of at most 2048 and crops of 512. It says
# that it follows Twins and Swin. They warm up, do not decay norms and PEG, and
# have the auxiliary head. Test with --tta for the rows with "MS".
_base_ = [
    '../_base_/models/upernet_ade20k.py',
    '../_base_/models/scalablevit_small.py',
    '../_base_/datasets/ade20k_ms-test.py',
    '../_base_/schedules/upernet_adamw_160k.py',
    '../_base_/runtime/seg.py',
]
model = dict(
    backbone=_base_.scalablevit_small,
    decode_head=dict(in_channels=[64, 128, 256, 512]),
    auxiliary_head=dict(in_channels=256),
)
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'.peg.': dict(decay_mult=0.0)})
)
_train_pipeline_ms = _base_.train_pipeline  # mmseg's, with random ratios
fixed = dict(type='Resize', scale=(2048, 512), keep_ratio=True)
train_pipeline = [*_train_pipeline_ms[:2], fixed, *_train_pipeline_ms[3:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
