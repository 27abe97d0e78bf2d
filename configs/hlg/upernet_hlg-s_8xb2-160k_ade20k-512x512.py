# UperNet + HLG-Small. The paper names UperNet as a second framework and says
# that it takes Swin's augmentation and schedule, but prints no result. All is
# Swin's recipe; drop path and weights are those of ImageNet.
_base_ = [
    '../_base_/models/upernet_ade20k.py',
    '../_base_/models/hlg_tiny.py',
    '../_base_/datasets/ade20k_ms-test.py',
    '../_base_/schedules/upernet_adamw_160k.py',
    '../_base_/runtime/seg.py',
]
model = dict(
    backbone=dict(
        _base_.hlg_tiny,
        arch='small',
        init_cfg=dict(
            type='Pretrained',
            checkpoint='checkpoints/hlg_small.pth',
            prefix='backbone.',
        ),
    ),
    decode_head=dict(in_channels=[96, 192, 384, 768]),
    auxiliary_head=dict(in_channels=384),
)
