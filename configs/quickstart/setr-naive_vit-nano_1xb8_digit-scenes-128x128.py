# SETR-Naive on the digit scenes. Its decoder sees no neighbourhood, so the
# encoder has to learn how patches lie to each other. BEiT's relative
# positions, with ten times the lr, learn this sooner than absolute ones.
_base_ = './setr-pup_vit-nano_1xb8_digit-scenes-128x128.py'
model = dict(
    backbone=dict(relative_position=True),
    decode_head=dict(
        _delete_=True,
        type='mmvit.SETRNaiveHead',
        in_channels=192,
        channels=192,
        num_classes=11,
        norm_cfg=dict(type='BN'),
        loss_decode=_base_.model.decode_head.loss_decode,
    ),
)
biases = {'position_bias': dict(lr_mult=10.0, decay_mult=0.0)}
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=biases))
