# Semantic FPN + a small HLG, all else as with the small PVT.
_base_ = [
    './fpn_pvt-nano_1xb8_digit-scenes-128x128.py',
    '../_base_/models/hlg_nano.py',
]
model = dict(
    backbone=dict(
        _delete_=True, type='mmvit.HLGTransformer', arch={{_base_.hlg_nano}}
    )
)
