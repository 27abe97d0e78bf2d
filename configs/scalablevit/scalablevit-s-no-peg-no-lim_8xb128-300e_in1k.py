# Table 5(b), row 1: neither PEG nor LEM nor LIM.
_base_ = './scalablevit-s_8xb128-300e_in1k.py'
model = dict(backbone=dict(with_peg=False, interaction=None))
