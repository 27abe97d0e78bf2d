# Figure 5: the coarse tokens, without fine ones around a window.
_base_ = './focal-t_8xb128-300e_in1k.py'
model = dict(backbone=dict(interactions=('global',)))
