# Table 7, windows of 14 tokens. Stage 4 keeps 7, which covers its map. All
# else is mmdet's Mask R-CNN + Swin-T, with the weights of
# swin-t-w14_16xb64-300e_in1k.py.
_base_ = [
    'mmdet::swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco.py',
    '../_base_/models/swin_tiny.py',
    '../_base_/runtime/guards.py',
]
weights = dict(
    _base_.swin_tiny.init_cfg, checkpoint='checkpoints/swin_tiny-w14.pth'
)
stage_cfgs = [dict(window_size=size) for size in (14, 14, 14, 7)]
model = dict(
    backbone=dict(_base_.swin_tiny, stage_cfgs=stage_cfgs, init_cfg=weights)
)
auto_scale_lr = dict(base_batch_size=16, enable=False)
