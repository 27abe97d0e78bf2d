_base_ = './upernet_scalablevit-s_8xb2-160k_ade20k-512x512.py'
weights = dict(checkpoint='checkpoints/scalablevit_large.pth')
model = dict(
    backbone=dict(arch='large', drop_path_rate=0.5, init_cfg=weights),
    decode_head=dict(in_channels=[128, 256, 512, 1024]),
    auxiliary_head=dict(in_channels=512),
)
