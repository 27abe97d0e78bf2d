# Table 14 of HLG, baseline: PVT with the widths, heads and depths of
# HLG-Small. The reductions are PVT's, the MLP ratio is HLG's.
pvt_hlg_small = dict(
    _delete_=True,
    type='mmvit.PVT',
    arch=dict(
        embed_dims=(96, 192, 384, 768),
        depths=(2, 2, 6, 2),
        num_heads=(3, 6, 12, 24),
        mlp_ratios=(4, 4, 4, 4),
        sr_ratios=(8, 4, 2, 1),
    ),
    with_cls_token=True,
    drop_path_rate=0.1,
    out_indices=(3,),
)
