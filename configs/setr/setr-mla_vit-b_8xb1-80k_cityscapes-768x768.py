# SETR-MLA-Base: layers 3, 6, 9 and 12.
_base_ = './setr-mla_vit-l_8xb1-80k_cityscapes-768x768.py'
model = dict(
    backbone=dict(
        arch='base',
        out_indices=(2, 5, 8, 11),
        init_cfg=dict(checkpoint='checkpoints/vit_base_384.pth'),
    ),
    decode_head=dict(in_channels=[768] * 4),
    auxiliary_head=[
        dict(head, in_channels=768) for head in _base_.model.auxiliary_head
    ],
)
