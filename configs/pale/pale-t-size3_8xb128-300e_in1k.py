# Table 5: pales of 3 rows and 3 columns.
_base_ = './pale-t_8xb128-300e_in1k.py'
model = dict(backbone=dict(overrides=dict(pale_sizes=(3, 3, 3, 3))))
