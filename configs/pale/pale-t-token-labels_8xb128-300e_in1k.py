# Pale-T* (Table 2): MixToken and token labeling, as in LV-ViT. The paper
# states neither the weight of the tokens' loss (here LV-ViT's 0.5) nor the
# model that made the label maps. MixToken replaces Mixup and CutMix.
_base_ = [
    '../_base_/datasets/imagenet_token_labels.py',
    '../_base_/schedules/imagenet_adamw_300e.py',
    '../_base_/runtime/cls.py',
]
model = dict(
    _scope_='mmpretrain',
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
        token_weight=0.5,
    ),
    train_cfg=dict(augments=[dict(type='mmvit.MixToken', alpha=1.0)]),
)
custom_hooks = [dict(type='EMAHook', momentum=1.6e-4, update_buffers=True)]
