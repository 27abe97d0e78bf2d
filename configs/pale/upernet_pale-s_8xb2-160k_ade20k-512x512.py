_base_ = './upernet_pale-t_8xb2-160k_ade20k-512x512.py'
weights = dict(checkpoint='checkpoints/pale_small.pth')
model = dict(
    backbone=dict(arch='small', drop_path_rate=0.4, init_cfg=weights),
    decode_head=dict(in_channels=[96, 192, 384, 768]),
    auxiliary_head=dict(in_channels=384),
)
