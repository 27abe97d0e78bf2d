# Table 5: pales of 5 rows and 5 columns.
_base_ = './pale-t_8xb128-300e_in1k.py'
model = dict(backbone=dict(overrides=dict(pale_sizes=(5, 5, 5, 5))))
