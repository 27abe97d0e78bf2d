# Table 8, no shifted windows. All else is mmdet's Mask R-CNN + Swin-T, with
# the weights of swin-t-no-shift_16xb64-300e_in1k.py.
_base_ = [
    'mmdet::swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco.py',
    '../_base_/models/swin_tiny.py',
    '../_base_/runtime/guards.py',
]
weights = dict(
    _base_.swin_tiny.init_cfg, checkpoint='checkpoints/swin_tiny-no-shift.pth'
)
stage_cfgs = dict(block_cfgs=dict(shift=False))
model = dict(
    backbone=dict(_base_.swin_tiny, stage_cfgs=stage_cfgs, init_cfg=weights)
)
auto_scale_lr = dict(base_batch_size=16, enable=False)
