# UperNet + Pale-T. The paper is silent on the recipe; taken from CSWin, which
# follows Swin: AdamW, lr 6e-5, weight decay 0.01 except for norms, warm-up of
# 1,500 iterations, poly 1.0, 160k iterations of 16 images, auxiliary FCN head
# of weight 0.4. Drop path and weights are those of ImageNet.
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
        type='mmvit.PaleTransformer',
        arch='tiny',
        drop_path_rate=0.2,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='checkpoints/pale_tiny.pth',
            prefix='backbone.',
        ),
    ),
    decode_head=dict(in_channels=[64, 128, 256, 512], num_classes=150),
    auxiliary_head=dict(in_channels=256, num_classes=150),
)
# The rows with "MS" are this config's, tested with --tta.
train_dataloader = dict(batch_size=2)
