# Table 6: rows and columns in turn, from block to block.
_base_ = './pale-t_8xb128-300e_in1k.py'
model = dict(backbone=dict(attn_mode='pale-sequential'))
