# Table 10. The paper states only the test's size; the release trains with a
# shorter side of 640 pixels, too. The longer side has at most 1066.
_base_ = './retinanet_pvt-s_fpn_1x_coco.py'
train_pipeline = _base_.train_pipeline
train_pipeline[2].scale = (1066, 640)
test_pipeline = [train_pipeline[step] for step in (0, 2, 1, 4)]  # no flip
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
