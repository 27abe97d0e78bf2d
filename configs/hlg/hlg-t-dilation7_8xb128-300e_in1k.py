# Table 13: dilation 7 in stage 1, half as much in each further one.
_base_ = './hlg-t_8xb128-300e_in1k.py'
model = dict(backbone=dict(dilation=7))
