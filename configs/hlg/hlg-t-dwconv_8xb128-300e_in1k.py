# Table 12: a depth-wise convolution makes a window one token.
_base_ = './hlg-t_8xb128-300e_in1k.py'
model = dict(backbone=dict(window_embedding='dwconv'))
