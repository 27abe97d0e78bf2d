# Table 5(a): plain window attention in all blocks.
_base_ = './fpn_scalablevit-s_4xb4-80k_ade20k-512x512.py'
model = dict(
    backbone=dict(
        attentions=('wsa', 'wsa'),
        init_cfg=dict(checkpoint='checkpoints/scalablevit_small-wsa.pth'),
    )
)
