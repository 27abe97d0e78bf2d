# HLG's segmentation head + HLG-Small on Cityscapes. The paper states SGD with
# momentum 0.9, lr 0.01, no weight decay, poly, 40k iterations of 8 images and
# crops of 768; its Table 6 says 80k. Ten times the lr for heads is that of
# SETR's release; power 0.9 and the last lr are mmseg's. The test's windows of
# 768, one every 512 pixels, are as released. With --tta, no side is shorter
# than a window, as for SETR. Drop path is that of ImageNet.
_base_ = [
    '../_base_/models/hlg_head.py',
    '../_base_/datasets/cityscapes_setr_768x768.py',
    'mmseg::_base_/schedules/schedule_40k.py',
    '../_base_/runtime/seg.py',
]
model = dict(
    data_preprocessor=dict(size=(768, 768)),
    test_cfg=dict(mode='slide', crop_size=(768, 768), stride=(512, 512)),
)
optim_wrapper = dict(
    optimizer=dict(weight_decay=0.0),
    paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=10.0))),
)
train_dataloader = dict(batch_size=2)
auto_scale_lr = dict(base_batch_size=8, enable=False)
