# Table 6, and Table 5 with pale size 1: single rows and columns.
_base_ = './upernet_pale-t_8xb2-160k_ade20k-512x512.py'
model = dict(
    backbone=dict(
        attn_mode='axial',
        init_cfg=dict(checkpoint='checkpoints/pale_tiny-axial.pth'),
    )
)
