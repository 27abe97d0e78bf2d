# RetinaNet + ScalableViT-S, 1x. The paper states AdamW, lr and weight decay
# 1e-4, batch 16 on 8 GPUs, 800 x 1333 pixels, steps at epochs 8 and 11 and
# 500 iterations of warm-up. It is silent on drop path: pre-training's is
# kept. Nothing of its detectors was released.
_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    'mmdet::_base_/datasets/coco_detection.py',
    'mmdet::_base_/schedules/schedule_1x.py',
    '../_base_/runtime/det.py',
]
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmvit.ScalableViT',
        arch='small',
        drop_path_rate=0.2,
        # Written by tools/model_converters/convert_checkpoint.py.
        init_cfg=dict(
            type='Pretrained',
            checkpoint='checkpoints/scalablevit_small.pth',
            prefix='backbone.',
        ),
    ),
    neck=dict(in_channels=[64, 128, 256, 512]),
)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=1e-4, weight_decay=1e-4)
)
auto_scale_lr = dict(base_batch_size=16, enable=False)
