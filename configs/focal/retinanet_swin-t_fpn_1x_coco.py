# RetinaNet + Swin-T, which the authors of Focal trained with their own recipe,
# see retinanet_focal-t_fpn_1x_coco.py. mmdet's config has SGD.
_base_ = [
    'mmdet::swin/retinanet_swin-t-p4-w7_fpn_1x_coco.py',
    '../_base_/runtime/guards.py',
]
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=1e-4, weight_decay=0.05),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        custom_keys={'relative_position_bias': dict(decay_mult=0.0)},
    ),
)
auto_scale_lr = dict(base_batch_size=16, enable=False)
