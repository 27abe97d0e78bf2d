# SETR-MLA on the digit scenes, with three of the six layers.
_base_ = './setr-pup_vit-nano_1xb8_digit-scenes-128x128.py'
model = dict(
    backbone=dict(out_indices=(1, 3, 5)),
    decode_head=dict(
        _delete_=True,
        type='mmvit.SETRMLAHead',
        in_channels=[192, 192, 192],
        in_index=[0, 1, 2],
        stream_channels=96,
        channels=144,
        num_classes=11,
        norm_cfg=dict(type='BN'),
        loss_decode=_base_.model.decode_head.loss_decode,
    ),
)
