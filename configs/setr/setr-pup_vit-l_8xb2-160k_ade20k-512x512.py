_base_ = [
    '../_base_/models/setr_pup.py',
    '../_base_/datasets/ade20k_setr_512x512.py',
    '../_base_/schedules/setr_sgd_80k.py',
    '../_base_/runtime/seg.py',
]
model = dict(
    data_preprocessor=dict(size=(512, 512)),
    backbone=dict(img_size=512),
    decode_head=dict(num_classes=150),
    auxiliary_head=[
        dict(head, num_classes=150) for head in _base_.model.auxiliary_head
    ],
    test_cfg=dict(crop_size=(512, 512), stride=(341, 341)),
)
optim_wrapper = dict(optimizer=dict(lr=0.001))
train_cfg = dict(max_iters=160000, val_interval=16000)
param_scheduler = [
    dict(type='PolyLR', eta_min=1e-4, power=0.9, end=160000, by_epoch=False)
]
auto_scale_lr = dict(base_batch_size=16)
