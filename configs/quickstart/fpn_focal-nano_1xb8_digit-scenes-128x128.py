# Semantic FPN with a small Focal Transformer on the digit scenes. At the lr
# of the other backbones the residual branches of its deep stages grow until
# the norms of the outputs see a constant only; a third of it trains.
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
optim_wrapper = dict(optimizer=dict(lr=5e-4))
