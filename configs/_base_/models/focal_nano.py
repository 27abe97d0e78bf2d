# A Focal Transformer of 2.3 M parameters that trains on a CPU. It is no size
# of the paper: the quickstart uses it, and own data can. Its windows of 4
# tokens divide the maps of 128 pixels.
focal_nano = dict(
    _delete_=True,
    type='mmvit.FocalTransformer',
    arch=dict(
        embed_dims=(32, 64, 128, 256),
        depths=(2, 2, 2, 2),
        num_heads=(1, 2, 4, 8),
        mlp_ratios=(4, 4, 4, 4),
        window_sizes=(4, 4, 4, 4),
        focal_windows=((1, 4), (1, 4), (1, 4), (1, 4)),
        focal_regions=((8, 7), (8, 5), (8, 3), (4, 1)),
    ),
)
