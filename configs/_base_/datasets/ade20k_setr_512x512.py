# ADE20K for SETR. The paper demands that no side of a test image is shorter
# than the test's window: with --tta, the scales 0.5 and 0.75 become 1.
_base_ = './ade20k_ms-test.py'
tta_pipeline = _base_.tta_pipeline
tta_pipeline[1].transforms[0] = [
    dict(type='Resize', scale=(4 * height, height), keep_ratio=True)
    for height in (512, 512, 512, 640, 768, 896)
]
