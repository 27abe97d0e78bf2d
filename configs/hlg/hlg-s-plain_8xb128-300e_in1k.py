# Table 14, "++ shared local": plain windows in all layers.
_base_ = './hlg-s_8xb128-300e_in1k.py'
model = dict(backbone=dict(windows=('plain', 'plain')))
