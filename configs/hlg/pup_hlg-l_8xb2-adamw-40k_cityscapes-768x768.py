_base_ = './pup_hlg-s_8xb2-adamw-40k_cityscapes-768x768.py'
weights = dict(checkpoint='checkpoints/hlg_large.pth')
model = dict(
    backbone=dict(arch='large', drop_path_rate=0.3, init_cfg=weights),
    decode_head=dict(in_channels=[128, 256, 512, 1024]),
    auxiliary_head=dict(in_channels=512),
)
