# HLG's segmentation head: four stages fused at stride 4, one plain and one
# dilated HLG layer with windows of 8, and an FCN on stage 3 as the auxiliary
# head. A config sets in_channels and num_classes.
norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    _scope_='mmseg',
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
    ),
    backbone=dict(
        type='mmvit.HLGTransformer',
        arch='small',
        drop_path_rate=0.1,
        # Written by tools/model_converters/convert_checkpoint.py.
        init_cfg=dict(
            type='Pretrained',
            checkpoint='checkpoints/hlg_small.pth',
            prefix='backbone.',
        ),
    ),
    decode_head=dict(
        type='mmvit.HLGHead',
        in_channels=[96, 192, 384, 768],
        in_index=[0, 1, 2, 3],
        channels=512,
        window_size=8,
        dropout_ratio=0.1,
        num_classes=19,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(
            type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0
        ),
    ),
    auxiliary_head=dict(
        type='FCNHead',
        in_channels=384,
        in_index=2,
        channels=256,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=19,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(
            type='CrossEntropyLoss', use_sigmoid=False, loss_weight=0.4
        ),
    ),
    train_cfg=dict(),
)
