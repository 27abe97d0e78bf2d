# As cityscapes_setr_trainval_768x768.py, with the 19,998 coarse images.
_base_ = './cityscapes_setr_trainval_768x768.py'
train_dataloader = dict(
    dataset=dict(
        datasets=[
            *_base_.train_dataloader.dataset.datasets,
            dict(
                _base_.fine,
                seg_map_suffix='_gtCoarse_labelTrainIds.png',
                data_prefix=dict(
                    img_path='leftImg8bit/train_extra',
                    seg_map_path='gtCoarse/train_extra',
                ),
            ),
        ]
    )
)
