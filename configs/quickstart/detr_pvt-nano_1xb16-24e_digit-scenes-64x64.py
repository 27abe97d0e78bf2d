# DETR on the digit scenes at half their size: 64 tokens of stride 8. Where to
# look is what its queries learn last. On whole scenes alone, which hold about
# the same number of digits each, they do not learn it within 20 CPU minutes;
# on crops of all sizes they do.
_base_ = './conditional-detr_pvt-nano_1xb8-10e_digit-scenes-128x128.py'
size = (64, 64)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomCrop', crop_type='absolute_range', crop_size=(32, 128)),
    dict(type='FilterAnnotations', min_gt_bbox_wh=(8, 8), keep_empty=False),
    dict(type='Resize', scale=size, keep_ratio=False),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=size, keep_ratio=False),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

attn = dict(
    _delete_=True,
    embed_dims={{_base_.embed_dims}},
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
            # The queries are zeros at first, and so is what the first norm
            # gets: an eps of 1e-5 multiplies its gradient by 300, 0.1 by 3.
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
optim_wrapper = dict(optimizer=dict(lr=5e-4))
train_cfg = dict(max_epochs=24, val_interval=4)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, end=100, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        end=24,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
auto_scale_lr = dict(base_batch_size=16)
