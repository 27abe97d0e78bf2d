# Table 5: pales of 9 rows and 9 columns.
_base_ = './pale-t_8xb128-300e_in1k.py'
model = dict(backbone=dict(overrides=dict(pale_sizes=(9, 9, 9, 9))))
