# Pascal Context with 59 classes for SETR in crops of 480 x 480, two images a
# GPU. The paper demands that no side of a test image is shorter than the
# test's window: the shorter side has at least 480 pixels. With --tta it has
# the release's, which are 0.5 to 1.75 times 520, but at least 480. The type of
# the data set decides the number of classes: PascalContextDataset has 60.
_base_ = ['../prefixes.py', 'mmseg::_base_/datasets/pascal_context.py']
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(1920, 480), keep_ratio=True),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(
                    type='Resize', scale=(4 * height, height), keep_ratio=True
                )
                for height in (480, 480, 520, 650, 780, 910)
            ],
            [dict(type='RandomFlip', prob=prob) for prob in (0.0, 1.0)],
            [dict(type='LoadAnnotations')],
            [dict(type='PackSegInputs')],
        ],
    ),
]
train_dataloader = dict(
    batch_size=2, dataset=dict(type='PascalContextDataset59')
)
val_dataloader = dict(
    dataset=dict(type='PascalContextDataset59', pipeline=test_pipeline)
)
test_dataloader = val_dataloader
