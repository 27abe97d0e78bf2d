# Table 9, second row: trained on train, val and the coarse images. The row's
# mark for coarse data is lost in the text. Its schedule is not stated.
_base_ = [
    '../_base_/models/setr_pup.py',
    '../_base_/datasets/cityscapes_setr_coarse_768x768.py',
    '../_base_/schedules/setr_sgd_100k.py',
    '../_base_/runtime/seg.py',
]
