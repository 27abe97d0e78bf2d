# Mask R-CNN + PVT-Tiny, 1x. The paper gives lr 1e-4 for both detectors; the
# released Mask R-CNN configs, taken here, have 2e-4. All else is as in
# retinanet_pvt-t_fpn_1x_coco.py.
_base_ = [
    'mmdet::_base_/models/mask-rcnn_r50_fpn.py',
    'mmdet::_base_/datasets/coco_instance.py',
    'mmdet::_base_/schedules/schedule_1x.py',
    '../_base_/runtime/det.py',
]
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmvit.PVT',
        arch='tiny',
        drop_path_rate=0.1,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='checkpoints/pvt_tiny.pth',
            prefix='backbone.',
        ),
    ),
    neck=dict(in_channels=[64, 128, 320, 512]),
)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=2e-4, weight_decay=1e-4)
)
auto_scale_lr = dict(base_batch_size=16, enable=False)
