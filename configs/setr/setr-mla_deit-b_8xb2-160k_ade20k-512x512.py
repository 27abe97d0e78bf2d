_base_ = './setr-mla_vit-l_8xb2-160k_ade20k-512x512.py'
weights = dict(checkpoint='checkpoints/deit_base_distilled_384.pth')
heads = [dict(head, in_channels=768) for head in _base_.model.auxiliary_head]
model = dict(
    backbone=dict(arch='base', out_indices=(2, 5, 8, 11), init_cfg=weights),
    decode_head=dict(in_channels=[768] * 4),
    auxiliary_head=heads,
)
