# Table 6: attention within whole pales.
_base_ = './upernet_pale-t_8xb2-160k_ade20k-512x512.py'
model = dict(
    backbone=dict(
        attn_mode='pale-vanilla',
        init_cfg=dict(checkpoint='checkpoints/pale_tiny-vanilla.pth'),
    )
)
