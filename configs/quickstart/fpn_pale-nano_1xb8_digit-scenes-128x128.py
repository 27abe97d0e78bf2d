_base_ = [
    './fpn_pvt-nano_1xb8_digit-scenes-128x128.py',
    '../_base_/models/pale_nano.py',
]
model = dict(backbone=_base_.pale_nano)
