# The paper's entry for ADE20K's test server, trained on train and val. The
# test images lie in data/ade/release_test/testing.
_base_ = './setr-mla_vit-l_8xb2-160k_ade20k-512x512.py'
one = _base_.train_dataloader.dataset
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[
            dict(
                one,
                data_prefix=dict(
                    img_path=f'images/{split}',
                    seg_map_path=f'annotations/{split}',
                ),
            )
            for split in ('training', 'validation')
        ],
    )
)
test_dataloader = dict(
    dataset=dict(
        data_root='data/ade/release_test',
        data_prefix=dict(img_path='testing', seg_map_path=''),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale=(2048, 512), keep_ratio=True),
            dict(type='PackSegInputs'),
        ],
    )
)
test_evaluator = dict(format_only=True, output_dir='work_dirs/ade_test/maps')
