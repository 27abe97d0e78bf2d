# Table 5(b), row 4: LIM alone.
_base_ = './fpn_scalablevit-s_4xb4-80k_ade20k-512x512.py'
model = dict(
    backbone=dict(
        with_peg=False,
        init_cfg=dict(checkpoint='checkpoints/scalablevit_small-no-peg.pth'),
    )
)
