# Table 5(a): scalable attention in all blocks.
_base_ = './fpn_scalablevit-s_4xb4-80k_ade20k-512x512.py'
model = dict(
    backbone=dict(
        attentions=('ssa', 'ssa'),
        init_cfg=dict(checkpoint='checkpoints/scalablevit_small-ssa.pth'),
    )
)
