# Table 6: stripes of 7 rows and of 7 columns, as CSWin has them.
_base_ = './upernet_pale-t_8xb2-160k_ade20k-512x512.py'
model = dict(
    backbone=dict(
        attn_mode='cross-shaped',
        init_cfg=dict(checkpoint='checkpoints/pale_tiny-cross-shaped.pth'),
    )
)
