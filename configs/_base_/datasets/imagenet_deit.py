# DeiT's augmentation and batch: 8 x 128 images, each drawn three times
# (repeated augmentation), RandAugment and random erasing as mmpretrain's
# Swin has them.
_base_ = 'mmpretrain::_base_/datasets/imagenet_bs64_swin_224.py'
train_dataloader = dict(
    batch_size=128, sampler=dict(_delete_=True, type='RepeatAugSampler')
)
