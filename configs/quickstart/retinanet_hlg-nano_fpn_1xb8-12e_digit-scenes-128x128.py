_base_ = [
    './retinanet_pvt-nano_fpn_1xb8-12e_digit-scenes-128x128.py',
    '../_base_/models/hlg_nano.py',
]
model = dict(backbone=_base_.hlg_nano)
