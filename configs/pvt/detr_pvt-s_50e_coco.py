# DETR + PVT-Small, without a convolutional backbone (Table 6). The paper
# states 50 epochs, AdamW, lr 1e-4, a tenth of it after epoch 33, random flip
# and scale. It is silent on all else, which is DETR's own: the last stage's
# map (stride 32) and sine position encodings feed six encoder and six decoder
# layers with 100 queries; the backbone's lr is a tenth, gradients are clipped
# at 0.1; scales are 480 to 800, here without crops, of which the paper says
# nothing.
_base_ = [
    'mmdet::detr/detr_r50_8xb2-150e_coco.py',
    '../_base_/runtime/guards.py',
]
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmvit.PVT',
        arch='small',
        out_indices=(3,),
        drop_path_rate=0.1,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='checkpoints/pvt_small.pth',
            prefix='backbone.',
        ),
    ),
    neck=dict(in_channels=[512]),
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomFlip', prob=0.5),
    dict(
        type='RandomChoiceResize',
        scales=[(side, 1333) for side in range(480, 801, 32)],
        keep_ratio=True,
    ),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
train_cfg = dict(max_epochs=50)
param_scheduler = [dict(type='MultiStepLR', end=50, milestones=[33])]
auto_scale_lr = dict(base_batch_size=16, enable=False)
