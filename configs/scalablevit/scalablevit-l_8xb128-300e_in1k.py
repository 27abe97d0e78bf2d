_base_ = './scalablevit-s_8xb128-300e_in1k.py'
model = dict(
    backbone=dict(arch='large', drop_path_rate=0.5),
    head=dict(in_channels=1024),
)
