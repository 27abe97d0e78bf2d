# Table 6: rows and columns in turn, from block to block.
_base_ = './upernet_pale-t_8xb2-160k_ade20k-512x512.py'
model = dict(
    backbone=dict(
        attn_mode='pale-sequential',
        init_cfg=dict(checkpoint='checkpoints/pale_tiny-sequential.pth'),
    )
)
