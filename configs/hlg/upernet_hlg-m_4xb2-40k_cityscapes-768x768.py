# UperNet + HLG-Medium on Cityscapes, which the paper shows in Figure 9. It is
# trained as the paper's own head in pup_hlg-s_4xb2-40k_cityscapes-768x768.py.
_base_ = [
    '../_base_/prefixes.py',
    'mmseg::_base_/models/upernet_r50.py',
    '../_base_/datasets/cityscapes_setr_768x768.py',
    'mmseg::_base_/schedules/schedule_40k.py',
    '../_base_/models/hlg_tiny.py',
    '../_base_/runtime/seg.py',
]
model = dict(
    data_preprocessor=dict(size=(768, 768)),
    pretrained=None,
    backbone=dict(
        _base_.hlg_tiny,
        arch='medium',
        init_cfg=dict(
            type='Pretrained',
            checkpoint='checkpoints/hlg_medium.pth',
            prefix='backbone.',
        ),
    ),
    decode_head=dict(in_channels=[96, 192, 384, 768]),
    auxiliary_head=dict(in_channels=384),
    test_cfg=dict(mode='slide', crop_size=(768, 768), stride=(512, 512)),
)
optim_wrapper = dict(optimizer=dict(weight_decay=0.0))
train_dataloader = dict(batch_size=2)
auto_scale_lr = dict(base_batch_size=8, enable=False)
