# Figure 5: attention inside each window only.
_base_ = './focal-t_8xb128-300e_in1k.py'
model = dict(backbone=dict(interactions=()))
