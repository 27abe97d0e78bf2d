# DeiT's augmentation: 128 images a GPU on 8 GPUs, each drawn three times
# (repeated augmentation). RandAugment and random erasing are those of
# mmpretrain's Swin.
_base_ = 'mmpretrain::_base_/datasets/imagenet_bs64_swin_224.py'
train_dataloader = dict(
    batch_size=128, sampler=dict(_delete_=True, type='RepeatAugSampler')
)
