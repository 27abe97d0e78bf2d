# Table 5(a): interactive window attention in all blocks.
_base_ = './scalablevit-s_8xb128-300e_in1k.py'
model = dict(backbone=dict(attentions=('iwsa', 'iwsa')))
