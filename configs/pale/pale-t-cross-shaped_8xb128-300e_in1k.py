# Table 6: stripes of 7 rows and of 7 columns, as CSWin has them.
_base_ = './pale-t_8xb128-300e_in1k.py'
model = dict(backbone=dict(attn_mode='cross-shaped'))
