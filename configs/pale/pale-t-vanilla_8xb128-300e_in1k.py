# Table 6: attention within whole pales.
_base_ = './pale-t_8xb128-300e_in1k.py'
model = dict(backbone=dict(attn_mode='pale-vanilla'))
