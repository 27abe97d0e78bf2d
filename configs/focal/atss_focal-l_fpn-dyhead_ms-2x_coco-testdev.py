# Table 5: the weights of atss_focal-l_fpn-dyhead_ms-2x_coco.py, on test-dev.
_base_ = [
    './atss_focal-l_fpn-dyhead_ms-2x_coco.py',
    '../_base_/datasets/coco_testdev.py',
]
test_dataloader = _base_._test_dataloader_testdev
test_evaluator = _base_._test_evaluator_testdev
