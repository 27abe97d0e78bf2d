"""Your images with boxes and masks: as own_det.py, but each annotation of the
JSON files also has a `segmentation`, polygons or RLE. Mask R-CNN needs the
number of classes twice:

    model = dict(
        roi_head=dict(
            bbox_head=dict(num_classes=len(classes)),
            mask_head=dict(num_classes=len(classes))))
"""

_base_ = './own_det.py'
train_pipeline = _base_.train_pipeline
train_pipeline[1].with_mask = True
test_pipeline = _base_.test_pipeline
test_pipeline[2].with_mask = True
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(metric=['bbox', 'segm'])
test_evaluator = val_evaluator
