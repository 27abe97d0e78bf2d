# UperNet + Focal-Large, pre-trained on ImageNet-22K, in crops of 640 x 640.
# The paper states lr 6e-5, weight decay 0.01 and the scales of the multi-scale
# test; drop path 0.2 is that of our pre-training.
_base_ = [
    'mmseg::_base_/models/upernet_r50.py',
    'mmseg::_base_/datasets/ade20k_640x640.py',
    '../_base_/schedules/upernet_adamw_160k.py',
    '../_base_/runtime/seg.py',
]
model = dict(
    data_preprocessor=dict(size=(640, 640)),
    pretrained=None,
    backbone=dict(
        _delete_=True,
        type='mmvit.FocalTransformer',
        arch='large',
        conv_embed=True,
        drop_path_rate=0.2,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='checkpoints/focal_large.pth',
            prefix='backbone.',
        ),
    ),
    decode_head=dict(in_channels=[192, 384, 768, 1536], num_classes=150),
    auxiliary_head=dict(in_channels=768, num_classes=150),
)
train_dataloader = dict(batch_size=2)
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'position_bias': dict(decay_mult=0.0)})
)
scales = [
    dict(
        type='Resize',
        scale=(int(2560 * ratio), int(640 * ratio)),
        keep_ratio=True,
    )
    for ratio in (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
]
flips = [dict(type='RandomFlip', prob=prob) for prob in (0.0, 1.0)]
annotations = [dict(type='LoadAnnotations', reduce_zero_label=True)]
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='TestTimeAug',
        transforms=[scales, flips, annotations, [dict(type='PackSegInputs')]],
    ),
]
