# The optimizer of ScalableViT's 3x: lr 1e-4 and weight decay 0.05 for both
# detectors (Table 8). That norms and PEG do not decay is taken from the
# release of Twins, whose settings the paper says it uses.
_optimizer_3x = dict(
    optimizer=dict(lr=1e-4, weight_decay=0.05),
    paramwise_cfg=dict(
        norm_decay_mult=0.0, custom_keys={'.peg.': dict(decay_mult=0.0)}
    ),
)
