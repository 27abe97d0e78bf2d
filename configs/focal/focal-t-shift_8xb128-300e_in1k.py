# Table 8: every second block shifts its windows.
_base_ = './focal-t_8xb128-300e_in1k.py'
model = dict(backbone=dict(with_shift=True))
