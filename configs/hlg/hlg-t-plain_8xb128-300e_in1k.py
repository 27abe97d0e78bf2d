# Table 13: plain windows in all layers.
_base_ = './hlg-t_8xb128-300e_in1k.py'
model = dict(backbone=dict(windows=('plain', 'plain')))
