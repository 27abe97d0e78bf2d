"""Your images with boxes in COCO's format:

    <data_root>/images/                             may have subfolders
    <data_root>/annotations/instances_{train,val}.json

A config that inherits from this one sets the root and the names of the
classes, as they are in `categories` of the JSON files and in their order:

    classes = ('cat', 'dog')
    data_root = 'data/pets/'
    own = dict(data_root=data_root, metainfo=dict(classes=classes))
    train_dataloader = dict(dataset=own)
    val_dataloader = dict(dataset=own)
    test_dataloader = dict(dataset=own)
    val_evaluator = dict(
        ann_file=data_root + 'annotations/instances_val.json')
    test_evaluator = val_evaluator
    model = dict(bbox_head=dict(num_classes=len(classes)))

To set only `data_root` changes nothing, because values that this file computes
from it are inherited as they are. Lists, such as pipelines, are replaced as a
whole.
"""

data_root = 'data/own/'
classes = ('object',)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(1333, 800), keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(1333, 800), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(
    batch_size=2,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='AspectRatioBatchSampler'),
    dataset=dict(
        type='CocoDataset',
        data_root=data_root,
        ann_file='annotations/instances_train.json',
        data_prefix=dict(img='images/'),
        metainfo=dict(classes=classes),
        filter_cfg=dict(filter_empty_gt=True),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CocoDataset',
        data_root=data_root,
        ann_file='annotations/instances_val.json',
        data_prefix=dict(img='images/'),
        metainfo=dict(classes=classes),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='CocoMetric',
    ann_file=data_root + 'annotations/instances_val.json',
    metric='bbox',
)
test_evaluator = val_evaluator
