# Label maps of the digit scenes of 128 x 128 pixels, in batches of 8 crops.
_base_ = './own_seg.py'
data_root = 'data/digit_scenes/'
classes = ('background', *'0123456789')
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomCrop', crop_size=(96, 96)),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
own = dict(
    data_root=data_root,
    metainfo=dict(classes=classes),
    reduce_zero_label=True,
)
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        **own,
        data_prefix=dict(
            img_path='images/training', seg_map_path='annotations/training'
        ),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=8,
    dataset=dict(
        **own,
        data_prefix=dict(
            img_path='images/validation',
            seg_map_path='annotations/validation',
        ),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
