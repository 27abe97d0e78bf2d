# ATSS with DyHead and Focal-Large, pre-trained on ImageNet-22K, 2x. The paper
# refers to DyHead for everything. mmdet's config with Swin-L follows it, with
# lr 5e-5 for 16 images; norms and position biases do not decay. Test with
# --tta for the rows with a multi-scale test; the paper does not state its
# sizes, and these are ours.
_base_ = [
    'mmdet::dyhead/atss_swin-l-p4-w12_fpn_dyhead_ms-2x_coco.py',
    '../_base_/datasets/coco_ms-test.py',
    '../_base_/models/focal_detection.py',
    '../_base_/runtime/guards.py',
]
model = dict(
    data_preprocessor=dict(pad_size_divisor=32),
    backbone=_base_.focal_detection_large_3_maps,
)
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'position_bias': dict(decay_mult=0.0)})
)
auto_scale_lr = dict(base_batch_size=16, enable=False)
tta_pipeline = _base_.tta_pipeline
tta_pipeline[1].transforms[0] = [
    dict(size, scale=(2000, size.scale[1]))
    for size in tta_pipeline[1].transforms[0]
]
