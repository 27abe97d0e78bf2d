# SETR-MLA on Cityscapes. The bases tell what the paper states. It prints
# lr 0.01; the release trained MLA with 0.002.
_base_ = [
    '../_base_/models/setr_mla.py',
    '../_base_/datasets/cityscapes_setr_768x768.py',
    '../_base_/schedules/setr_sgd_40k.py',
    '../_base_/runtime/seg.py',
]
