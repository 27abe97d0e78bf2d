# Table 5(a): scalable attention in all blocks, channels not scaled.
_base_ = [
    './scalablevit-s_8xb128-300e_in1k.py',
    '../_base_/models/scalablevit_small_rc1.py',
]
model = dict(
    backbone=dict(arch=_base_.scalablevit_small_rc1, attentions=('ssa', 'ssa'))
)
