# Cityscapes for the test server: trained on train and val. Testing writes a
# label map for each test image. pack_submission.py in
# tools/dataset_converters packs them.
_base_ = './cityscapes_setr_768x768.py'
fine = _base_.train_dataloader.dataset
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[
            dict(
                fine,
                data_prefix=dict(
                    img_path=f'leftImg8bit/{split}',
                    seg_map_path=f'gtFine/{split}',
                ),
            )
            for split in ('train', 'val')
        ],
    )
)
test_dataloader = dict(
    dataset=dict(
        data_prefix=dict(
            img_path='leftImg8bit/test', seg_map_path='gtFine/test'
        ),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale=(2049, 1025), keep_ratio=True),
            dict(type='PackSegInputs'),
        ],
    )
)
test_evaluator = dict(
    format_only=True, output_dir='work_dirs/cityscapes_test/maps'
)
