_base_ = './focal-t_8xb128-300e_in1k.py'
model = dict(backbone=dict(arch='small'))
