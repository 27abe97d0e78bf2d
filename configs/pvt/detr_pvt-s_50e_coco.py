# DETR + PVT-Small, without a convolutional backbone (Table 6).
_base_ = ['./detr_r50_50e_coco.py', '../_base_/models/pvt_tiny.py']
weights = dict(
    _base_.pvt_tiny.init_cfg, checkpoint='checkpoints/pvt_small.pth'
)
pvt_small = dict(
    _base_.pvt_tiny, arch='small', out_indices=(3,), init_cfg=weights
)
model = dict(backbone=pvt_small, neck=dict(in_channels=[512]))
