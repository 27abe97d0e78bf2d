# Figure 5: the fine tokens around a window, without coarse ones.
_base_ = './focal-t_8xb128-300e_in1k.py'
model = dict(backbone=dict(interactions=('local',)))
