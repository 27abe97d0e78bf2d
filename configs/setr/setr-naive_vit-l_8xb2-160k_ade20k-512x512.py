# SETR-Naive on ADE20K. The paper states lr 0.001, batches of 16 images, 160k
# iterations and crops of 512; the window's stride of 341 is the release's.
_base_ = [
    '../_base_/models/setr_naive.py',
    '../_base_/datasets/ade20k_setr_flip-test_512x512.py',
    '../_base_/schedules/setr_sgd_bs16-160k.py',
    '../_base_/runtime/seg.py',
]
heads = [dict(head, num_classes=150) for head in _base_.model.auxiliary_head]
model = dict(
    data_preprocessor=dict(size=(512, 512)),
    backbone=dict(img_size=512),
    decode_head=dict(num_classes=150),
    auxiliary_head=heads,
    test_cfg=dict(crop_size=(512, 512), stride=(341, 341)),
)
