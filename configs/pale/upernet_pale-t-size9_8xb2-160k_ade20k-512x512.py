# Table 5: pales of 9 rows and 9 columns.
_base_ = './upernet_pale-t_8xb2-160k_ade20k-512x512.py'
model = dict(
    backbone=dict(
        overrides=dict(pale_sizes=(9, 9, 9, 9)),
        init_cfg=dict(checkpoint='checkpoints/pale_tiny-size9.pth'),
    )
)
