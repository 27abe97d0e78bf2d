# Table 9, four blocks in stage 3. All else is mmpretrain's Swin-T.
_base_ = [
    'mmpretrain::swin_transformer/swin-tiny_16xb64_in1k.py',
    '../_base_/runtime/guards.py',
]
arch = dict(
    _delete_=True,
    embed_dims=96,
    depths=[2, 2, 4, 2],
    num_heads=[3, 6, 12, 24],
)
model = dict(backbone=dict(arch=arch))
auto_scale_lr = dict(base_batch_size=1024, enable=False)
