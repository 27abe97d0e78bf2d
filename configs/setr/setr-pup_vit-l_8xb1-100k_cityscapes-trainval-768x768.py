# Table 9: trained on train and val, for the test server. 100k iterations are
# the paper's.
_base_ = [
    '../_base_/models/setr_pup.py',
    '../_base_/datasets/cityscapes_setr_trainval_768x768.py',
    '../_base_/schedules/setr_sgd_100k.py',
    '../_base_/runtime/seg.py',
]
