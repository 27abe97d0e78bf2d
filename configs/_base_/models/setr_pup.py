# SETR-PUP with T-Large: SETR-Naive's encoder, four convolutions, and auxiliary
# losses at layers 10, 15, 20 and 24. 256 channels give Table 3's FLOPs; the
# paper prints none, and the first release had 512. An auxiliary head has one
# 3x3 convolution, x4, the classifier, x4: that gives Table 3's parameters.
_base_ = './setr_naive.py'
pup = dict(
    type='mmvit.SETRPUPHead',
    in_channels=1024,
    channels=256,
    num_classes=19,
    norm_cfg=dict(type='SyncBN'),
)
model = dict(
    decode_head=dict(
        _delete_=True,
        **pup,
        in_index=3,
        loss_decode=dict(type='CrossEntropyLoss'),
    ),
    auxiliary_head=[
        dict(
            **pup,
            in_index=index,
            num_convs=1,
            up_scale=4,
            loss_decode=_base_.aux_loss,
        )
        for index in range(4)
    ],
)
