# Conditional DETR on the digit scenes: the transformer, the matching and the
# set loss of DETR, but each query has a place, which its attention and its
# box start from.
_base_ = './detr_pvt-nano_1xb8-10e_digit-scenes-128x128.py'
attn = dict(
    _delete_=True,
    embed_dims={{_base_.embed_dims}},
    num_heads=8,
    attn_drop=0.0,
)
model = dict(
    type='ConditionalDETR',
    decoder=dict(
        layer_cfg=dict(
            self_attn_cfg=dict(**attn, cross_attn=False),
            cross_attn_cfg=dict(**attn, cross_attn=True),
        )
    ),
    bbox_head=dict(
        type='ConditionalDETRHead',
        loss_cls=dict(
            _delete_=True, type='FocalLoss', use_sigmoid=True, loss_weight=2.0
        ),
    ),
    train_cfg=dict(
        assigner=dict(
            match_costs=[
                dict(type='FocalLossCost', weight=2.0),
                dict(type='BBoxL1Cost', weight=5.0, box_format='xywh'),
                dict(type='IoUCost', iou_mode='giou', weight=2.0),
            ]
        )
    ),
)
