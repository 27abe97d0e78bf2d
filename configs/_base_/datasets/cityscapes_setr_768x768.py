# Cityscapes in crops of 768 x 768, one image a GPU. With --tta the scales are
# those of the paper, where no side is to be shorter than the test's window:
# 0.5 becomes 0.75.
_base_ = 'mmseg::_base_/datasets/cityscapes_768x768.py'
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(
                    type='Resize',
                    scale=(2 * height, height),
                    keep_ratio=True,
                )
                for height in (768, 768, 1024, 1280, 1536, 1792)
            ],
            *_base_.tta_pipeline[1].transforms[1:],
        ],
    ),
]
train_dataloader = dict(batch_size=1)
