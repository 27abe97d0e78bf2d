# DETR with a small PVT: one encoder and two decoder layers, 30 queries.
_base_ = './conditional-detr_pvt_nano.py'
attn = dict(
    _delete_=True,
    embed_dims=_base_.embed_dims,
    num_heads=8,
    dropout=0.0,
)
num_queries = 30
model = dict(
    type='DETR',
    num_queries=num_queries,
    backbone=dict(img_size=64, out_indices=(1,)),
    neck=dict(in_channels=[64]),
    decoder=dict(
        layer_cfg=dict(
            self_attn_cfg=attn,
            cross_attn_cfg=attn,
            # The queries start as zeros, and so does the input of the first
            # norm. There, an eps of 1e-5 would multiply the gradient by 300,
            # and 0.1 multiplies it by 3.
            norm_cfg=dict(type='LN', eps=0.1),
        )
    ),
    bbox_head=dict(
        type='DETRHead',
        loss_cls=dict(
            _delete_=True,
            type='CrossEntropyLoss',
            bg_cls_weight=0.1,
            loss_weight=2.0,
            class_weight=1.0,
        ),
    ),
    train_cfg=dict(
        assigner=dict(
            match_costs=[
                dict(type='ClassificationCost', weight=2.0),
                dict(type='BBoxL1Cost', weight=5.0, box_format='xywh'),
                dict(type='IoUCost', iou_mode='giou', weight=2.0),
            ]
        )
    ),
    test_cfg=dict(max_per_img=num_queries),
)
