# SETR-MLA on Cityscapes. The bases tell what the paper states. Its lr is 0.01
# for all decoders; setr-mla_vit-l_8xb1-lr2e-3-40k_cityscapes-768x768.py has
# that of the release.
_base_ = [
    '../_base_/models/setr_mla.py',
    '../_base_/datasets/cityscapes_setr_768x768.py',
    '../_base_/schedules/setr_sgd_40k.py',
    '../_base_/runtime/seg.py',
]
