# As mask-rcnn_pvt-nano_fpn_1xb8-12e_digit-scenes-128x128.py, with a small
# Pale Transformer.
_base_ = [
    './mask-rcnn_pvt-nano_fpn_1xb8-12e_digit-scenes-128x128.py',
    '../_base_/models/pale_nano.py',
]
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmvit.PaleTransformer',
        arch={{_base_.pale_nano}},
    )
)
