# UperNet + HLG-Small. The paper names UperNet as a second framework, says that
# it takes Swin's augmentation and schedule, and prints no result: all is
# Swin's recipe, drop path and weights those of ImageNet.
_base_ = [
    'mmseg::_base_/models/upernet_r50.py',
    '../_base_/datasets/ade20k_ms-test.py',
    '../_base_/schedules/upernet_adamw_160k.py',
    '../_base_/runtime/seg.py',
]
model = dict(
    data_preprocessor=dict(size=(512, 512)),
    pretrained=None,
    backbone=dict(
        _delete_=True,
        type='mmvit.HLGTransformer',
        arch='small',
        drop_path_rate=0.1,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='checkpoints/hlg_small.pth',
            prefix='backbone.',
        ),
    ),
    decode_head=dict(in_channels=[96, 192, 384, 768], num_classes=150),
    auxiliary_head=dict(in_channels=384, num_classes=150),
)
train_dataloader = dict(batch_size=2)
