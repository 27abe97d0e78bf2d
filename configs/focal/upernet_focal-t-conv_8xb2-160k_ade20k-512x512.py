# UperNet + Focal-Tiny with overlapping patch embeddings, with which alone the
# paper's numbers of parameters come out. The paper states 160k iterations of
# 16 images and, for Large, lr 6e-5 and weight decay 0.01, both from Swin,
# whose recipe all else is: AdamW, warm-up, poly, the auxiliary head, no decay
# of norms and position biases. Drop path is that of ImageNet. The rows with a
# multi-scale test are this config's, tested with --tta.
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
        type='mmvit.FocalTransformer',
        arch='tiny',
        conv_embed=True,
        drop_path_rate=0.2,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='checkpoints/focal_tiny-conv.pth',
            prefix='backbone.',
        ),
    ),
    decode_head=dict(in_channels=[96, 192, 384, 768], num_classes=150),
    auxiliary_head=dict(in_channels=384, num_classes=150),
)
train_dataloader = dict(batch_size=2)
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'position_bias': dict(decay_mult=0.0)})
)
