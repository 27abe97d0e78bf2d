# Table 9: four blocks in stage 3.
_base_ = './focal-t_8xb128-300e_in1k.py'
model = dict(backbone=dict(overrides=dict(depths=(2, 2, 4, 2))))
