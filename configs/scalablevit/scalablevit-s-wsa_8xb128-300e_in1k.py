# Table 5(a): plain window attention in all blocks.
_base_ = './scalablevit-s_8xb128-300e_in1k.py'
model = dict(backbone=dict(attentions=('wsa', 'wsa')))
