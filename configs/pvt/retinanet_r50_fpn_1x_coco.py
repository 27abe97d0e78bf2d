# RetinaNet + ResNet-50, the baseline of Table 10, with the recipe of the
# paper's other rows. The printed AP of 36.3 is also that of mmdet's own
# recipe, SGD with lr 0.01, for
# mmdet::retinanet/retinanet_r50-caffe_fpn_1x_coco.py.
_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    'mmdet::_base_/datasets/coco_detection.py',
    '../_base_/schedules/detection_adamw_1x.py',
    '../_base_/runtime/det.py',
]
