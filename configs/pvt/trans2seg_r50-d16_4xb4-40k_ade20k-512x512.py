# Trans2Seg's head + ResNet-50 of stride 16 (Table 7): the head of
# trans2seg_pvt-s_4xb4-40k_ade20k-512x512.py on the maps of stages 1 and 4.
_base_ = './deeplabv3plus_r50-d16_4xb4-40k_ade20k-512x512.py'
model = dict(
    decode_head=dict(
        _delete_=True,
        type='mmvit.Trans2SegHead',
        in_channels=[256, 2048],
        in_index=[0, 3],
        num_classes=150,
        norm_cfg=dict(type='SyncBN', requires_grad=True),
    )
)
