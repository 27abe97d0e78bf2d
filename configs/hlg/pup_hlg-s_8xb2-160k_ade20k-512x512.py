# HLG's segmentation head + HLG-Small on ADE20K. The paper states 160k
# iterations and nothing else for this data set. AdamW, lr 6e-5, no weight
# decay, ten times the lr for heads, warm-up, poly 1.0, batch 16, crops of 512
# and windows of 512 every 341 pixels in the test are as released. With --tta,
# no side is shorter than a window, as for SETR. Drop path is that of ImageNet.
_base_ = [
    '../_base_/models/hlg_head.py',
    '../_base_/datasets/ade20k_setr_512x512.py',
    '../_base_/schedules/upernet_adamw_160k.py',
    '../_base_/runtime/seg.py',
]
model = dict(
    data_preprocessor=dict(size=(512, 512)),
    decode_head=dict(num_classes=150),
    auxiliary_head=dict(num_classes=150),
    test_cfg=dict(mode='slide', crop_size=(512, 512), stride=(341, 341)),
)
optim_wrapper = dict(
    optimizer=dict(weight_decay=0.0),
    paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=10.0))),
)
