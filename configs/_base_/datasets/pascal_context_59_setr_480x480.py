# Pascal Context with 59 classes in crops of 480 x 480, two images a GPU. A
# test image's shorter side has at least the 480 pixels of the test's window,
# as the paper demands it; with --tta 0.5 and 0.75 become 1.
_base_ = 'mmseg::_base_/datasets/pascal_context_59.py'
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(1920, 480), keep_ratio=True),
    dict(type='LoadAnnotations', reduce_zero_label=True),
    dict(type='PackSegInputs'),
]
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(
                    type='Resize',
                    scale=(4 * height, height),
                    keep_ratio=True,
                )
                for height in (480, 480, 480, 600, 720, 840)
            ],
            _base_.tta_pipeline[1].transforms[1],
            [dict(type='LoadAnnotations', reduce_zero_label=True)],
            [dict(type='PackSegInputs')],
        ],
    ),
]
train_dataloader = dict(batch_size=2)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
