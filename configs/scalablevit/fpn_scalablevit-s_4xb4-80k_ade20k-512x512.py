# Semantic FPN + ScalableViT-S. The paper states AdamW, lr and weight decay
# 1e-4, poly 0.9, 80k iterations of 16 images on 4 GPUs, resizing to 512 x
# 2048 and crops of 512. It is silent on the rest: augmentation and test are
# mmseg's, drop path and weights those of ImageNet.
_base_ = [
    'mmseg::_base_/models/fpn_r50.py',
    'mmseg::_base_/datasets/ade20k.py',
    'mmseg::_base_/schedules/schedule_80k.py',
    '../_base_/runtime/seg.py',
]
model = dict(
    data_preprocessor=dict(size=(512, 512)),
    pretrained=None,
    backbone=dict(
        _delete_=True,
        type='mmvit.ScalableViT',
        arch='small',
        drop_path_rate=0.2,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='checkpoints/scalablevit_small.pth',
            prefix='backbone.',
        ),
    ),
    neck=dict(in_channels=[64, 128, 256, 512]),
    decode_head=dict(num_classes=150),
)
optimizer = None  # mmseg's base keeps SGD in it; nothing reads it
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=1e-4, weight_decay=1e-4)
)
param_scheduler = [dict(type='PolyLR', power=0.9, end=80000, by_epoch=False)]
auto_scale_lr = dict(base_batch_size=16, enable=False)
