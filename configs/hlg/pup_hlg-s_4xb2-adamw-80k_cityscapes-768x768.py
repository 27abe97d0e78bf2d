# As released, in place of the SGD that the paper states: AdamW, lr 6e-5, a
# linear warm-up of 1,500 iterations, poly of power 1 to 0.
_base_ = './pup_hlg-s_4xb2-80k_cityscapes-768x768.py'
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=6e-5, weight_decay=0.0)
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, end=1500),
    dict(type='PolyLR', power=1.0, begin=1500, end=80000, by_epoch=False),
]
