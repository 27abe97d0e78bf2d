"""Your images in ImageNet's layout, with a folder for each class:

    <data_root>/train/<class>/*.jpg
    <data_root>/val/<class>/*.jpg

A config that inherits from this one sets the root and the names of the
folders, in alphabetical order:

    classes = ('bird', 'cat', 'dog')
    own = dict(data_root='data/pets/', metainfo=dict(classes=classes))
    train_dataloader = dict(dataset=own)
    val_dataloader = dict(dataset=own)
    test_dataloader = dict(dataset=own)
    model = dict(head=dict(num_classes=len(classes)))

To set only `data_root` changes nothing, because values that this file computes
from it are inherited as they are. Lists, such as pipelines, are replaced as a
whole.
"""

data_root = 'data/own/'
classes = None  # the names of the folders

data_preprocessor = dict(
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=224, interpolation='bicubic'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=256, edge='short', interpolation='bicubic'),
    dict(type='CenterCrop', crop_size=224),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CustomDataset',
        data_root=data_root,
        data_prefix='train',
        metainfo=dict(classes=classes),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CustomDataset',
        data_root=data_root,
        data_prefix='val',
        metainfo=dict(classes=classes),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=1)
test_evaluator = val_evaluator
