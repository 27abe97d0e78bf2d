# DeepLabV3+ + ResNet-50 of stride 8 (Table 7). The paper states 40k
# iterations; all else is as for Semantic FPN. With 256 channels and without an
# auxiliary head it has about the printed parameters.
_base_ = [
    '../_base_/prefixes.py',
    'mmseg::_base_/models/deeplabv3plus_r50-d8.py',
    'mmseg::_base_/datasets/ade20k.py',
    '../_base_/schedules/fpn_adamw_80k.py',
    '../_base_/runtime/seg.py',
]
model = dict(
    data_preprocessor=dict(size=(512, 512)),
    decode_head=dict(channels=256, num_classes=150),
    auxiliary_head=None,
)
train_cfg = dict(max_iters=40000)
param_scheduler = [dict(type='PolyLR', power=0.9, end=40000, by_epoch=False)]
