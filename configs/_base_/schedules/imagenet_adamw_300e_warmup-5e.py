# As imagenet_adamw_300e.py, with a warm-up of 5 epochs.
_base_ = './imagenet_adamw_300e.py'
param_scheduler = [
    dict(
        type='LinearLR', start_factor=1e-3, end=5, convert_to_iter_based=True
    ),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=5),
]
