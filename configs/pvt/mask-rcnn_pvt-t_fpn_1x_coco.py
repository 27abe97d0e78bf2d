# Mask R-CNN + PVT-Tiny, 1x. The paper states lr 1e-4 for both detectors, but
# the released Mask R-CNN configs have 2e-4, which is used here. All else is as
# in retinanet_pvt-t_fpn_1x_coco.py.
_base_ = [
    'mmdet::_base_/models/mask-rcnn_r50_fpn.py',
    'mmdet::_base_/datasets/coco_instance.py',
    '../_base_/models/pvt_tiny.py',
    '../_base_/schedules/detection_adamw_1x.py',
    '../_base_/runtime/det.py',
]
model = dict(
    backbone=_base_.pvt_tiny, neck=dict(in_channels=[64, 128, 320, 512])
)
optim_wrapper = dict(optimizer=dict(lr=2e-4))
