# DETR + ResNet-50, the baseline of Table 6. The paper states 50 epochs, AdamW,
# lr 1e-4, a tenth of it after epoch 33, random flip and scale for both
# backbones. The scales of 640 to 800 are the release's. All else is DETR's:
# the last stage's map (stride 32) and sine position encodings, six encoder and
# six decoder layers, 100 queries, a tenth of the lr for the backbone,
# gradients clipped at 0.1. DETR also crops; the paper does not say so, and
# this config does not.
_base_ = [
    'mmdet::detr/detr_r50_8xb2-150e_coco.py',
    '../_base_/runtime/guards.py',
]
scales = [(side, 1333) for side in range(640, 801, 32)]
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='RandomChoiceResize', scales=scales, keep_ratio=True),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
train_cfg = dict(max_epochs=50)
param_scheduler = [dict(type='MultiStepLR', end=50, milestones=[33])]
auto_scale_lr = dict(base_batch_size=16, enable=False)
