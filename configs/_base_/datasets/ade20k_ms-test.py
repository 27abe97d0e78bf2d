# ADE20K in crops of 512 x 512, two images a GPU. With --tta, images are
# tested at the papers' multiples of 2048 x 512. mmseg's own pipeline would
# scale the image as it is on disk.
_base_ = ['../prefixes.py', 'mmseg::_base_/datasets/ade20k.py']
tta_pipeline = _base_.tta_pipeline
tta_pipeline[1].transforms[0] = [
    dict(type='Resize', scale=(4 * height, height), keep_ratio=True)
    for height in (256, 384, 512, 640, 768, 896)
]
tta_pipeline[1].transforms[2][0].reduce_zero_label = True
train_dataloader = dict(batch_size=2)
