# Table 8, no shifted windows. All else is mmpretrain's Swin-T.
_base_ = [
    'mmpretrain::swin_transformer/swin-tiny_16xb64_in1k.py',
    '../_base_/runtime/guards.py',
]
stage_cfgs = dict(block_cfgs=dict(shift=False))
model = dict(backbone=dict(stage_cfgs=stage_cfgs))
auto_scale_lr = dict(base_batch_size=1024, enable=False)
