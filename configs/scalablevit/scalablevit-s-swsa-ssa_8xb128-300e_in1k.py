# Table 5(a): shifted windows in place of interactive ones.
_base_ = './scalablevit-s_8xb128-300e_in1k.py'
model = dict(backbone=dict(attentions=('swsa', 'ssa')))
