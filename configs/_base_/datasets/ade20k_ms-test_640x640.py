# ADE20K in crops of 640 x 640, two images a GPU. With --tta, images are
# tested at multiples of 2560 x 640.
_base_ = ['../prefixes.py', 'mmseg::_base_/datasets/ade20k_640x640.py']
tta_pipeline = _base_.tta_pipeline
tta_pipeline[1].transforms[0] = [
    dict(type='Resize', scale=(4 * height, height), keep_ratio=True)
    for height in (320, 480, 640, 800, 960, 1120)
]
tta_pipeline[1].transforms[2][0].reduce_zero_label = True
train_dataloader = dict(batch_size=2)
