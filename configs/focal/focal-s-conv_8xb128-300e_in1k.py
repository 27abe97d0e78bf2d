_base_ = './focal-s_8xb128-300e_in1k.py'
model = dict(backbone=dict(conv_embed=True))
