# At the lr of the other backbones, the residual branches of the deep stages
# grow until the norms of the outputs receive a constant. A third of it trains.
_base_ = [
    './fpn_pvt-nano_1xb8_digit-scenes-128x128.py',
    '../_base_/models/focal_nano.py',
]
model = dict(backbone=_base_.focal_nano)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
