_base_ = './pale-t-token-labels_8xb128-300e_in1k.py'
model = dict(
    backbone=dict(arch='small', drop_path_rate=0.4),
    head=dict(in_channels=768),
)
