# SETR-Naive on Cityscapes. What the paper states and what it does not is told
# in the bases.
_base_ = [
    '../_base_/models/setr_naive.py',
    '../_base_/datasets/cityscapes_setr_768x768.py',
    '../_base_/schedules/setr_sgd_80k.py',
    '../_base_/runtime/seg.py',
]
