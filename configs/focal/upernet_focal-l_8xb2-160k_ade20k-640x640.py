# UperNet + Focal-Large, pre-trained on ImageNet-22K, in crops of 640 x 640.
# The paper states lr 6e-5, weight decay 0.01 and the scales of the multi-scale
# test; drop path 0.2 is that of our pre-training.
_base_ = [
    '../_base_/models/upernet_ade20k.py',
    '../_base_/datasets/ade20k_ms-test_640x640.py',
    '../_base_/schedules/upernet_adamw_160k.py',
    '../_base_/runtime/seg.py',
]
model = dict(
    data_preprocessor=dict(size=(640, 640)),
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
    decode_head=dict(in_channels=[192, 384, 768, 1536]),
    auxiliary_head=dict(in_channels=768),
)
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'position_bias': dict(decay_mult=0.0)})
)
