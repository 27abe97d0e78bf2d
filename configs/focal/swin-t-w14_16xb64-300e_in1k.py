# Table 7, windows of 14 tokens. Stage 4 keeps 7, which covers its map. All
# else is mmpretrain's Swin-T.
_base_ = [
    'mmpretrain::swin_transformer/swin-tiny_16xb64_in1k.py',
    '../_base_/runtime/guards.py',
]
stage_cfgs = [dict(window_size=size) for size in (14, 14, 14, 7)]
model = dict(backbone=dict(stage_cfgs=stage_cfgs))
auto_scale_lr = dict(base_batch_size=1024, enable=False)
