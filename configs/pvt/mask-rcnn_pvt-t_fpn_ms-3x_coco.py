# 3x with multi-scale training: 36 epochs, shorter side from [640, 800]. The
# steps, at epochs 27 and 33, are the release's; the paper does not give them.
_base_ = './mask-rcnn_pvt-t_fpn_1x_coco.py'
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(
        type='RandomResize', scale=[(1333, 640), (1333, 800)], keep_ratio=True
    ),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
train_cfg = dict(max_epochs=36)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, end=500),
    dict(type='MultiStepLR', end=36, milestones=[27, 33], gamma=0.1),
]
