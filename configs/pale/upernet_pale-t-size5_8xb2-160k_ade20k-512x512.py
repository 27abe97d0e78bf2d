# Table 5: pales of 5 rows and 5 columns.
_base_ = './upernet_pale-t_8xb2-160k_ade20k-512x512.py'
model = dict(
    backbone=dict(
        overrides=dict(pale_sizes=(5, 5, 5, 5)),
        init_cfg=dict(checkpoint='checkpoints/pale_tiny-size5.pth'),
    )
)
