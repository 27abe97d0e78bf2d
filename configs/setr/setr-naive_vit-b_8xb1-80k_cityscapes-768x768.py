# SETR-Naive-Base. The paper names no layers for the auxiliary losses of
# T-Base: 5, 8 and 10 are the release's.
_base_ = './setr-naive_vit-l_8xb1-80k_cityscapes-768x768.py'
model = dict(
    backbone=dict(
        arch='base',
        out_indices=(4, 7, 9, 11),
        init_cfg=dict(checkpoint='checkpoints/vit_base_384.pth'),
    ),
    decode_head=dict(in_channels=768),
    auxiliary_head=[
        dict(head, in_channels=768) for head in _base_.model.auxiliary_head
    ],
)
