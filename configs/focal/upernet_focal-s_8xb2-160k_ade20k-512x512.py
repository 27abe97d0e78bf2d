_base_ = './upernet_focal-t_8xb2-160k_ade20k-512x512.py'
small = dict(checkpoint='checkpoints/focal_small.pth')
model = dict(backbone=dict(arch='small', init_cfg=small))
