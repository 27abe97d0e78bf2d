_base_ = './setr-naive_vit-l_8xb1-40k_cityscapes-768x768.py'
model = dict(
    backbone=dict(out_indices=(23,)),
    decode_head=dict(in_index=0),
    auxiliary_head=None,
)
