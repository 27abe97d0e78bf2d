# SETR-Naive-Base. The paper names no layers for the auxiliary losses of
# T-Base: 3, 6 and 9 are the release's.
_base_ = [
    '../_base_/models/setr_naive.py',
    '../_base_/datasets/cityscapes_setr_768x768.py',
    '../_base_/schedules/setr_sgd_40k.py',
    '../_base_/runtime/seg.py',
]
weights = dict(checkpoint='checkpoints/vit_base_384.pth')
heads = [dict(head, in_channels=768) for head in _base_.model.auxiliary_head]
model = dict(
    backbone=dict(arch='base', out_indices=(2, 5, 8, 11), init_cfg=weights),
    decode_head=dict(in_channels=768),
    auxiliary_head=heads,
)
