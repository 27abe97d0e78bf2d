# SETR-MLA with T-Large: layers 6, 12, 18 and 24, each with an auxiliary loss
# on a two-layer network. "Halved at the first layer" would mean 512 channels,
# but the 256 of the release give the parameters and FLOPs of Table 3. As in
# the release, ViT's class token is left out.
_base_ = './setr_naive.py'
model = dict(
    backbone=dict(with_cls_token=False, out_indices=(5, 11, 17, 23)),
    decode_head=dict(
        _delete_=True,
        type='mmvit.SETRMLAHead',
        in_channels=[1024] * 4,
        channels=512,
        num_classes=19,
        norm_cfg=dict(type='SyncBN'),
        loss_decode=dict(type='CrossEntropyLoss'),
    ),
    auxiliary_head=[
        dict(**_base_.head, in_index=index, loss_decode=_base_.aux_loss)
        for index in range(4)
    ],
)
