# UperNet + ScalableViT-S. The paper states AdamW, lr 6e-5, weight decay 0.01,
# poly 1.0, 160k iterations of 16 images on 8 GPUs, and says that it follows
# Twins and Swin. Warm-up, no decay of norms and PEG, and the auxiliary head
# are theirs; drop path and weights are those of ImageNet.
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
        type='mmvit.ScalableViT',
        arch='small',
        drop_path_rate=0.2,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='checkpoints/scalablevit_small.pth',
            prefix='backbone.',
        ),
    ),
    decode_head=dict(in_channels=[64, 128, 256, 512], num_classes=150),
    auxiliary_head=dict(in_channels=256, num_classes=150),
)
# The rows with "MS" are this config's, tested with --tta.
train_dataloader = dict(batch_size=2)
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'.peg.': dict(decay_mult=0.0)})
)
