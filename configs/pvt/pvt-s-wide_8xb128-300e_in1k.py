# Table 9: PVT-Small with 1.4 times the width, trained as PVT-Small.
_base_ = './pvt-t_8xb128-300e_in1k.py'
model = dict(backbone=dict(arch='small-wide'), head=dict(in_channels=712))
