# SETR-Naive on Pascal Context with 59 classes. The paper prints one figure,
# 55.83, without saying for which crops and schedule: it is that of the
# release's SETR-MLA with 60 classes. Crops of 480 and 80k iterations of 16
# images are what remains of its list. The learning rate is that of ADE20K.
_base_ = [
    '../_base_/models/setr_naive.py',
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
