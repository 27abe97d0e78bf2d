# Table 5: pales of 3 rows and 3 columns.
_base_ = './upernet_pale-t_8xb2-160k_ade20k-512x512.py'
model = dict(
    backbone=dict(
        overrides=dict(pale_sizes=(3, 3, 3, 3)),
        init_cfg=dict(checkpoint='checkpoints/pale_tiny-size3.pth'),
    )
)
