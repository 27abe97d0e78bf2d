# FCN + ResNet-101 on Cityscapes (Table 4), with SETR's recipe. The paper does
# not state the length; its figure without ImageNet-21K is mmseg's for 40k.
_base_ = [
    '../_base_/models/fcn_r101.py',
    '../_base_/datasets/cityscapes_setr_768x768.py',
    '../_base_/schedules/setr_sgd_40k.py',
    '../_base_/runtime/seg.py',
]
