# UperNet + Focal-Tiny with overlapping patch embeddings; only with them the
# paper's numbers of parameters come out. The paper states 160k iterations of
# 16 images and, for Large, lr 6e-5 and weight decay 0.01, both from Swin. All
# else is Swin's recipe: AdamW, warm-up, poly, the auxiliary head, no decay of
# norms and position biases. Drop path is that of ImageNet. Test with --tta for
# the rows with a multi-scale test.
_base_ = [
    '../_base_/models/upernet_ade20k.py',
    '../_base_/datasets/ade20k_ms-test.py',
    '../_base_/schedules/upernet_adamw_160k.py',
    '../_base_/runtime/seg.py',
]
model = dict(
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
    decode_head=dict(in_channels=[96, 192, 384, 768]),
    auxiliary_head=dict(in_channels=384),
)
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'position_bias': dict(decay_mult=0.0)})
)
