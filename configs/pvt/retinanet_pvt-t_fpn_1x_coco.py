# RetinaNet + PVT-Tiny, 1x. The paper states AdamW, lr 1e-4, batch 16 on 8
# GPUs, 800 x 1333 pixels. Weight decay 1e-4 on every parameter, warm-up, steps
# and flip are the release's, and so is the drop path: 0.1 for Tiny and Small,
# none for Medium and Large.
_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    'mmdet::_base_/datasets/coco_detection.py',
    'mmdet::_base_/schedules/schedule_1x.py',
    '../_base_/runtime/det.py',
]
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmvit.PVT',
        arch='tiny',
        drop_path_rate=0.1,
        # Written by tools/model_converters/convert_checkpoint.py.
        init_cfg=dict(
            type='Pretrained',
            checkpoint='checkpoints/pvt_tiny.pth',
            prefix='backbone.',
        ),
    ),
    neck=dict(in_channels=[64, 128, 320, 512]),
)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=1e-4, weight_decay=1e-4)
)
auto_scale_lr = dict(base_batch_size=16, enable=False)
