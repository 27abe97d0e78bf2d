# The quickstart's Semantic FPN with a ScalableViT in the PVT's place.
_base_ = [
    './fpn_pvt-nano_1xb8_digit-scenes-128x128.py',
    '../_base_/models/scalablevit_nano.py',
]
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmvit.ScalableViT',
        arch={{_base_.scalablevit_nano}},
    )
)
