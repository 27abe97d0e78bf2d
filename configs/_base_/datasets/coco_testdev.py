# COCO test-dev. Testing writes the files that the server takes, once
# tools/dataset_converters/pack_submission.py has packed them. A config adds
# this to one that trains on COCO; it has the test pipeline of that config.
_test_dataloader_testdev = dict(
    dataset=dict(
        ann_file='annotations/image_info_test-dev2017.json',
        data_prefix=dict(img='test2017/'),
    )
)
_test_evaluator_testdev = dict(
    ann_file='data/coco/annotations/image_info_test-dev2017.json',
    format_only=True,
    outfile_prefix='work_dirs/coco_testdev/results',
)
