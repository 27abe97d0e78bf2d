# Table 5(b), row 1: neither PEG nor LEM nor LIM.
_base_ = './fpn_scalablevit-s_4xb4-80k_ade20k-512x512.py'
weights = dict(checkpoint='checkpoints/scalablevit_small-no-peg-no-lim.pth')
model = dict(backbone=dict(with_peg=False, interaction=None, init_cfg=weights))
