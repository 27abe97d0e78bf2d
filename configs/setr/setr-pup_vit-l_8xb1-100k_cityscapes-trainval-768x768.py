# Table 9: trained on train and val, for the test server; 100k iterations are
# the paper's. Testing writes a map for each test image, and
# tools/dataset_converters/pack_submission.py packs them for the server.
_base_ = './setr-pup_vit-l_8xb1-80k_cityscapes-768x768.py'
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
train_cfg = dict(max_iters=100000)
param_scheduler = [
    dict(type='PolyLR', eta_min=1e-4, power=0.9, end=100000, by_epoch=False)
]
