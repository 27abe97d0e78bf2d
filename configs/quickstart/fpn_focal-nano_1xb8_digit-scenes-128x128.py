# Semantic FPN with a small Focal Transformer on the digit scenes.
_base_ = [
    './fpn_pvt-nano_1xb8_digit-scenes-128x128.py',
    '../_base_/models/focal_nano.py',
]
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmvit.FocalTransformer',
        arch={{_base_.focal_nano}},
    )
)
