# Table 8: RetinaNet on the single map of a ViT (8 layers, width 768). The
# paper does not say how it makes several levels of it. Here, FPN adds four
# coarser ones by stride-2 convolutions, and the anchors follow the strides.
# Drop path is PVT-Small's. No weights were published:
# vit-s-p32_8xb128-300e_in1k.py trains them.
_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    'mmdet::_base_/datasets/coco_detection.py',
    '../_base_/schedules/detection_adamw_1x.py',
    '../_base_/runtime/det.py',
]
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.VisionTransformer',
        arch='small',
        patch_size=32,
        qkv_bias=False,
        drop_path_rate=0.1,
        with_cls_token=False,
        out_type='featmap',
        interpolate_mode='bilinear',
        init_cfg=dict(
            type='Pretrained',
            checkpoint='checkpoints/vit_small_p32.pth',
            prefix='backbone.',
        ),
    ),
    neck=dict(in_channels=[768], start_level=0),
    bbox_head=dict(anchor_generator=dict(strides=[32, 64, 128, 256, 512])),
)
