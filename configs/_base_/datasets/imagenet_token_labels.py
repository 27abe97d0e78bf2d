# ImageNet-1k with a label map for each training image. The maps have the
# format that LV-ViT published and lie in
# data/imagenet_token_labels/<wnid>/<image>.pt. The augmentation is that of
# mmpretrain's Swin, without mixing of images.
_base_ = 'mmpretrain::_base_/datasets/imagenet_bs64_swin_224.py'
data_preprocessor = dict(type='mmvit.TokenLabelPreprocessor')
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmvit.LoadTokenLabels', root='data/imagenet_token_labels'),
    dict(type='mmvit.CropWithTokenLabels', crop=_base_.train_pipeline[1]),
    *_base_.train_pipeline[2:-1],
    dict(
        type='PackInputs', algorithm_keys=('token_labels', 'token_label_box')
    ),
]
train_dataloader = dict(batch_size=128, dataset=dict(pipeline=train_pipeline))
