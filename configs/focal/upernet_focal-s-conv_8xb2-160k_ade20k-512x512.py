_base_ = './upernet_focal-t-conv_8xb2-160k_ade20k-512x512.py'
weights = dict(checkpoint='checkpoints/focal_small-conv.pth')
model = dict(backbone=dict(arch='small', init_cfg=weights))
