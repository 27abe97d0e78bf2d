# Table 5(b), row 5, and Table 7: PEG, and LEM in LIM's place.
_base_ = './fpn_scalablevit-s_4xb4-80k_ade20k-512x512.py'
model = dict(
    backbone=dict(
        interaction='lem',
        init_cfg=dict(checkpoint='checkpoints/scalablevit_small-lem.pth'),
    )
)
