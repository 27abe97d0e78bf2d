# SETR-PUP with T-Large: SETR-Naive's encoder, four convolutions, and auxiliary
# losses at layers 10, 15, 20 and 24. The paper does not state the channels:
# 256 give the FLOPs of Table 3, while the first release had 512. An auxiliary
# head has one 3x3 convolution and the classifier, each followed by upsampling
# by 4, which gives the parameters of Table 3.
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
