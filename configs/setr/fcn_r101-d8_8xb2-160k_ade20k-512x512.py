# FCN + ResNet-101 on ADE20K (Table 4), with SETR's recipe.
_base_ = [
    '../_base_/models/fcn_r101.py',
    '../_base_/datasets/ade20k_setr_512x512.py',
    '../_base_/schedules/setr_sgd_bs16-160k.py',
    '../_base_/runtime/seg.py',
]
model = dict(
    data_preprocessor=dict(size=(512, 512)),
    decode_head=dict(num_classes=150),
    auxiliary_head=dict(num_classes=150),
    test_cfg=dict(crop_size=(512, 512), stride=(341, 341)),
)
