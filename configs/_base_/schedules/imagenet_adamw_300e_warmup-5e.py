# AdamW, lr 1e-3 for 1,024 images, weight decay 0.05, 300 epochs: cosine from
# a linear warm-up of 5 epochs, which starts at 1e-6, down to 1e-5.
_base_ = 'mmpretrain::_base_/schedules/imagenet_bs1024_adamw_swin.py'
param_scheduler = [
    dict(
        type='LinearLR', start_factor=1e-3, end=5, convert_to_iter_based=True
    ),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=5),
]
auto_scale_lr = dict(base_batch_size=1024, enable=False)
