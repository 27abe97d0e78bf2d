# Table 6, and Table 5 with pale size 1: single rows and columns.
_base_ = './pale-t_8xb128-300e_in1k.py'
model = dict(backbone=dict(attn_mode='axial'))
