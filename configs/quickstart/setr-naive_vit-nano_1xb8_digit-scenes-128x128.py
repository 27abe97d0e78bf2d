# SETR-Naive on the digit scenes. Its decoder reads no neighbourhood, so that
# the encoder has to learn what lies beside what: BEiT's relative positions,
# with a learning rate of their own, do that sooner than absolute ones.
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
        loss_decode=dict(
            type='CrossEntropyLoss', class_weight=[0.15] + [1.0] * 10
        ),
    ),
)
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={'position_bias': dict(lr_mult=10.0, decay_mult=0.0)}
    )
)
