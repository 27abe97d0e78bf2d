# Table 5: the weights of htc_focal-l_fpn_ms-3x_coco.py, on test-dev.
_base_ = [
    './htc_focal-l_fpn_ms-3x_coco.py',
    '../_base_/datasets/coco_testdev.py',
]
test_dataloader = _base_._test_dataloader_testdev
test_evaluator = _base_._test_evaluator_testdev
