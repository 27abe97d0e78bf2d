# ADE20K in crops of 640 x 640, two images a GPU. With --tta, images are
# tested at multiples of 2560 x 640.
_base_ = 'mmseg::_base_/datasets/ade20k_640x640.py'
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
                for height in (320, 480, 640, 800, 960, 1120)
            ],
            [dict(type='RandomFlip', prob=prob) for prob in (0.0, 1.0)],
            [dict(type='LoadAnnotations', reduce_zero_label=True)],
            [dict(type='PackSegInputs')],
        ],
    ),
]
train_dataloader = dict(batch_size=2)
