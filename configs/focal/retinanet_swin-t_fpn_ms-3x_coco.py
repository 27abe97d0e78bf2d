_base_ = './retinanet_swin-t_fpn_1x_coco.py'
scales = [(1333, 480), (1333, 800)]
train_pipeline = _base_.train_pipeline
train_pipeline[2] = dict(type='RandomResize', scale=scales, keep_ratio=True)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
train_cfg = dict(max_epochs=36)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=36, milestones=[27, 33])
