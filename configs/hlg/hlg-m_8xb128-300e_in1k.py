_base_ = './hlg-t_8xb128-300e_in1k.py'
model = dict(backbone=dict(arch='medium'), head=dict(in_channels=768))
