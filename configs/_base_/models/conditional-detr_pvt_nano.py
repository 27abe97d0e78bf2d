# Conditional DETR with a small PVT: one encoder and two decoder layers, 100
# queries.
_base_ = './pvt_nano.py'
embed_dims = 256
self_attn = dict(embed_dims=embed_dims, num_heads=8, dropout=0.0)
attn = dict(embed_dims=embed_dims, num_heads=8, attn_drop=0.0)
ffn = dict(embed_dims=embed_dims, feedforward_channels=256, ffn_drop=0.0)
model = dict(
    _scope_='mmdet',
    type='ConditionalDETR',
    num_queries=100,
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=32,
    ),
    backbone=dict(
        type='mmvit.PVT',
        arch=_base_.pvt_nano,
        img_size=128,
        out_indices=(2,),
    ),
    neck=dict(
        type='ChannelMapper',
        in_channels=[128],
        kernel_size=1,
        out_channels=embed_dims,
        act_cfg=None,
        num_outs=1,
    ),
    encoder=dict(
        num_layers=1, layer_cfg=dict(self_attn_cfg=self_attn, ffn_cfg=ffn)
    ),
    decoder=dict(
        num_layers=2,
        layer_cfg=dict(
            self_attn_cfg=dict(**attn, cross_attn=False),
            cross_attn_cfg=dict(**attn, cross_attn=True),
            ffn_cfg=ffn,
        ),
        return_intermediate=True,
    ),
    positional_encoding=dict(
        num_feats=embed_dims // 2, temperature=20, normalize=True
    ),
    bbox_head=dict(
        type='ConditionalDETRHead',
        num_classes=10,
        embed_dims=embed_dims,
        loss_cls=dict(type='FocalLoss', use_sigmoid=True, loss_weight=2.0),
        loss_bbox=dict(type='L1Loss', loss_weight=5.0),
        loss_iou=dict(type='GIoULoss', loss_weight=2.0),
    ),
    train_cfg=dict(
        assigner=dict(
            type='HungarianAssigner',
            match_costs=[
                dict(type='FocalLossCost', weight=2.0),
                dict(type='BBoxL1Cost', weight=5.0, box_format='xywh'),
                dict(type='IoUCost', iou_mode='giou', weight=2.0),
            ],
        )
    ),
    test_cfg=dict(max_per_img=100),
)
