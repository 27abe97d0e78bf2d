# SETR-PUP on Pascal Context with 59 classes. As SETR-Naive.
_base_ = [
    '../_base_/models/setr_pup.py',
    '../_base_/datasets/pascal_context_setr_480x480.py',
    '../_base_/schedules/setr_sgd_bs16-80k.py',
    '../_base_/runtime/seg.py',
]
heads = [dict(head, num_classes=59) for head in _base_.model.auxiliary_head]
model = dict(
    data_preprocessor=dict(size=(480, 480)),
    backbone=dict(img_size=480),
    decode_head=dict(num_classes=59),
    auxiliary_head=heads,
    test_cfg=dict(crop_size=(480, 480), stride=(320, 320)),
)
