# SETR-PUP on Cityscapes. The bases tell what the paper states.
_base_ = [
    '../_base_/models/setr_pup.py',
    '../_base_/datasets/cityscapes_setr_768x768.py',
    '../_base_/schedules/setr_sgd_40k.py',
    '../_base_/runtime/seg.py',
]
