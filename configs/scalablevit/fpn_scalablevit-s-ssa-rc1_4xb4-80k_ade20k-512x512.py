# Table 5(a): scalable attention in all blocks, channels not scaled.
_base_ = [
    './fpn_scalablevit-s_4xb4-80k_ade20k-512x512.py',
    '../_base_/models/scalablevit_small_rc1.py',
]
model = dict(
    backbone=dict(
        arch=_base_.scalablevit_small_rc1,
        attentions=('ssa', 'ssa'),
        init_cfg=dict(checkpoint='checkpoints/scalablevit_small-ssa-rc1.pth'),
    )
)
