"""Your images and label maps in mmsegmentation's layout:

    <data_root>/img_dir/{train,val}/*.jpg
    <data_root>/ann_dir/{train,val}/*.png   one channel, the class numbers
                                            0, 1, ...; 255 is ignored

A config that inherits from this one sets the root and the names of the
classes:

    classes = ('background', 'road', 'house')
    own = dict(data_root='data/maps/', metainfo=dict(classes=classes))
    train_dataloader = dict(dataset=own)
    val_dataloader = dict(dataset=own)
    test_dataloader = dict(dataset=own)
    model = dict(decode_head=dict(num_classes=len(classes)))

and, if the folders have other names, `data_prefix` of each dataset. With
`reduce_zero_label=True` in `own`, label 0 is ignored and the classes are 1,
2, ...
To set only `data_root` changes nothing, because values that this file computes
from it are inherited as they are. Lists, such as pipelines, are replaced as a
whole.
"""

data_root = 'data/own/'
classes = ('background', 'object')

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(
        type='RandomResize',
        scale=(2048, 512),
        ratio_range=(0.5, 2.0),
        keep_ratio=True,
    ),
    dict(type='RandomCrop', crop_size=(512, 512), cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(2048, 512), keep_ratio=True),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='BaseSegDataset',
        data_root=data_root,
        data_prefix=dict(
            img_path='img_dir/train', seg_map_path='ann_dir/train'
        ),
        metainfo=dict(classes=classes),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='BaseSegDataset',
        data_root=data_root,
        data_prefix=dict(img_path='img_dir/val', seg_map_path='ann_dir/val'),
        metainfo=dict(classes=classes),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
