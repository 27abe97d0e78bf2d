# Trans2Seg's head + PVT-Small, without a convolutional backbone (Table 7).
# The paper states 40k iterations; all else is as for Semantic FPN. The
# transformer is Trans2Seg's medium one (width 256, 4 + 4 layers, 8 heads, MLP
# ratio 3). Neither paper says which map of a PVT is the fine one. That of
# stage 2 (stride 8) comes close to the printed FLOPs, that of stage 1 does
# not.
_base_ = './fpn_pvt-s_4xb4-80k_ade20k-512x512.py'
model = dict(
    neck=None,
    decode_head=dict(
        _delete_=True,
        type='mmvit.Trans2SegHead',
        in_channels=[128, 512],
        in_index=[1, 3],
        num_classes=150,
        norm_cfg=dict(type='SyncBN', requires_grad=True),
    ),
)
train_cfg = dict(max_iters=40000)
param_scheduler = [dict(type='PolyLR', power=0.9, end=40000, by_epoch=False)]
