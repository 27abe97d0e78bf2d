# Table 5(a): the two attentions in the other order.
_base_ = './scalablevit-s_8xb128-300e_in1k.py'
model = dict(backbone=dict(attentions=('ssa', 'iwsa')))
