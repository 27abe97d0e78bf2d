# Table 14, "+ DWMLP": without local attention.
_base_ = './hlg-s_8xb128-300e_in1k.py'
model = dict(backbone=dict(windows=None))
