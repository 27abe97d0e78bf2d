# Pale-T* (Table 2): MixToken and token labeling, as in LV-ViT, of which the
# paper names neither the weight of the tokens' loss (LV-ViT's 0.5 here) nor
# what made the label maps. MixToken replaces Mixup and CutMix.
_base_ = [
    '../_base_/datasets/imagenet_token_labels.py',
    'mmpretrain::_base_/schedules/imagenet_bs1024_adamw_swin.py',
    '../_base_/runtime/cls.py',
]
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='mmvit.PaleTransformer',
        arch='tiny',
        drop_path_rate=0.2,
        out_indices=(3,),
    ),
    head=dict(
        type='mmvit.TokenLabelHead',
        num_classes=1000,
        in_channels=512,
        loss=dict(type='mmvit.TokenLabelLoss', token_weight=0.5),
    ),
    train_cfg=dict(augments=[dict(type='mmvit.MixToken', alpha=1.0)]),
)
custom_hooks = [dict(type='EMAHook', momentum=1.6e-4, update_buffers=True)]
auto_scale_lr = dict(base_batch_size=1024, enable=False)
