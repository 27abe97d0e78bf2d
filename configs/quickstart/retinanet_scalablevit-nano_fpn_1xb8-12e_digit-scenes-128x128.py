# The quickstart's RetinaNet with a ScalableViT in the PVT's place.
_base_ = [
    './retinanet_pvt-nano_fpn_1xb8-12e_digit-scenes-128x128.py',
    '../_base_/models/scalablevit_nano.py',
]
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmvit.ScalableViT',
        arch={{_base_.scalablevit_nano}},
    )
)
