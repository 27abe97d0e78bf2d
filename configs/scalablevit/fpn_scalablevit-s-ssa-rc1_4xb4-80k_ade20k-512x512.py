# Table 5(a): scalable attention in all blocks, channels not scaled.
_base_ = './fpn_scalablevit-s_4xb4-80k_ade20k-512x512.py'
model = dict(
    backbone=dict(
        overrides=dict(channel_ratios=(1.0, 1.0, 1.0, 1.0)),
        attentions=('ssa', 'ssa'),
        init_cfg=dict(checkpoint='checkpoints/scalablevit_small-ssa-rc1.pth'),
    )
)
