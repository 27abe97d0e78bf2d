_base_ = './focal-b_8xb128-300e_in1k.py'
model = dict(backbone=dict(conv_embed=True))
