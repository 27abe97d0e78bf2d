# ADE20K for SETR-Naive and SETR-MLA. What the release calls their multi-scale
# test has one scale: --tta only adds the flipped image. SETR-PUP has several,
# see ade20k_setr_512x512.py.
_base_ = './ade20k_ms-test.py'
tta_pipeline = _base_.tta_pipeline
tta_pipeline[1].transforms[0] = [
    dict(type='Resize', scale=(2048, 512), keep_ratio=True)
]
