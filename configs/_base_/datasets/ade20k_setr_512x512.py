# ADE20K in crops of 512 x 512, two images a GPU. With --tta the scales are
# those of the paper, where no side is to be shorter than the test's window:
# 0.5 and 0.75 become 1.
_base_ = './ade20k_ms-test.py'
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
                for height in (512, 512, 512, 640, 768, 896)
            ],
            *_base_.tta_pipeline[1].transforms[1:],
        ],
    ),
]
train_dataloader = dict(batch_size=2)
