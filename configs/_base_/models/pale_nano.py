# A Pale Transformer of 2.5 M parameters that trains on a CPU. It is no size
# of the paper: the quickstart uses it, and own data can.
pale_nano = dict(
    _delete_=True,
    type='mmvit.PaleTransformer',
    arch=dict(
        embed_dims=(32, 64, 128, 256),
        depths=(2, 2, 2, 2),
        num_heads=(1, 2, 4, 8),
        mlp_ratios=(4, 4, 4, 4),
        pale_sizes=(7, 7, 7, 7),
    ),
)
