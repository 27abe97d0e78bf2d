# A ScalableViT of 2.6 M parameters that trains on a CPU. It is no size of the
# paper: the quickstart uses it, and own data can.
scalablevit_nano = dict(
    _delete_=True,
    type='mmvit.ScalableViT',
    arch=dict(
        embed_dims=(32, 64, 128, 256),
        depths=(2, 2, 2, 2),
        num_heads=(1, 2, 4, 8),
        mlp_ratios=(4, 4, 4, 4),
        sr_ratios=(8, 4, 2, 1),
        channel_ratios=(1.25, 1.25, 1.25, 1.0),
    ),
)
