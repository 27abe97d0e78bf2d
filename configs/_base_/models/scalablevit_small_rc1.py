# Table 5(a) of ScalableViT: the small one, its channels not scaled.
scalablevit_small_rc1 = dict(
    _delete_=True,  # the name of a size that it replaces
    embed_dims=(64, 128, 256, 512),
    depths=(2, 2, 20, 2),
    num_heads=(2, 4, 8, 16),
    mlp_ratios=(4, 4, 4, 4),
    sr_ratios=(8, 4, 2, 1),
    channel_ratios=(1.0, 1.0, 1.0, 1.0),
)
