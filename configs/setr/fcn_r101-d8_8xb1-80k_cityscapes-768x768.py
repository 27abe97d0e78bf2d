# FCN + ResNet-101 on Cityscapes (Table 4), with SETR's recipe. The paper does
# not say whether it has 40k or 80k iterations.
_base_ = [
    '../_base_/models/fcn_r101.py',
    '../_base_/datasets/cityscapes_setr_768x768.py',
    '../_base_/schedules/setr_sgd_40k.py',
    '../_base_/runtime/seg.py',
]
train_cfg = dict(max_iters=80000)
param_scheduler = _base_.param_scheduler
param_scheduler[0].end = 80000
