# Cityscapes for SETR in crops of 768 x 768, one image a GPU. The paper
# demands that no side of a test image is shorter than the test's window: with
# --tta, the scale 0.5 becomes 0.75.
_base_ = ['../prefixes.py', 'mmseg::_base_/datasets/cityscapes_768x768.py']
tta_pipeline = _base_.tta_pipeline
tta_pipeline[1].transforms[0] = [
    dict(type='Resize', scale=(2 * height, height), keep_ratio=True)
    for height in (768, 768, 1024, 1280, 1536, 1792)
]
train_dataloader = dict(batch_size=1)
