# ATSS with DyHead and Focal-Large, pre-trained on ImageNet-22K, 2x. The paper
# refers to DyHead for everything: mmdet's config with Swin-L is that, its lr
# of 5e-5 for 16 images included; norms and position biases do not decay. The
# rows with a multi-scale test are this config's, tested with --tta; its sizes,
# on which the paper is silent, are ours.
_base_ = [
    'mmdet::dyhead/atss_swin-l-p4-w12_fpn_dyhead_ms-2x_coco.py',
    '../_base_/models/focal_detection.py',
    '../_base_/runtime/guards.py',
]
model = dict(
    data_preprocessor=dict(pad_size_divisor=32),
    backbone={{_base_.focal_detection_large_3_maps}},
)
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'position_bias': dict(decay_mult=0.0)})
)
auto_scale_lr = dict(base_batch_size=16, enable=False)
sizes = [
    dict(type='Resize', scale=(2000, side), keep_ratio=True)
    for side in (600, 800, 1000, 1200, 1400)
]
flips = [dict(type='RandomFlip', prob=prob) for prob in (0.0, 1.0)]
pack = dict(
    type='PackDetInputs',
    meta_keys=(
        'img_id',
        'img_path',
        'ori_shape',
        'img_shape',
        'scale_factor',
        'flip',
        'flip_direction',
    ),
)
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='TestTimeAug', transforms=[sizes, flips, [pack]]),
]
