# ImageNet-1k with a label map for each training image, in LV-ViT's published
# format, under data/imagenet_token_labels/<wnid>/<image>.pt. Augmentation as
# in mmpretrain's file for Swin, without what mixes images.
_base_ = 'mmpretrain::_base_/datasets/imagenet_bs64_swin_224.py'
data_preprocessor = dict(type='mmvit.TokenLabelPreprocessor')
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmvit.LoadTokenLabels', root='data/imagenet_token_labels'),
    dict(
        type='mmvit.CropWithTokenLabels',
        crop=dict(
            type='RandomResizedCrop',
            scale=224,
            backend='pillow',
            interpolation='bicubic',
        ),
    ),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(
        type='RandAugment',
        policies='timm_increasing',
        num_policies=2,
        total_level=10,
        magnitude_level=9,
        magnitude_std=0.5,
        hparams=dict(pad_val=[104, 116, 124], interpolation='bicubic'),
    ),
    dict(
        type='RandomErasing',
        erase_prob=0.25,
        mode='rand',
        min_area_ratio=0.02,
        max_area_ratio=1 / 3,
        fill_color=[103.53, 116.28, 123.675],
        fill_std=[57.375, 57.12, 58.395],
    ),
    dict(
        type='PackInputs', algorithm_keys=('token_labels', 'token_label_box')
    ),
]
train_dataloader = dict(batch_size=128, dataset=dict(pipeline=train_pipeline))
