# Focal-Large fine-tuned on ImageNet-1k from ImageNet-22K. The paper states
# neither a result nor settings. Those of Swin are lr 4e-5 and weight decay
# 1e-8 for 1,024 images, 30 epochs with 5 of warm-up, and no mixing.
_base_ = './focal-t_8xb128-300e_in1k.py'
model = dict(
    backbone=dict(
        arch='large',
        conv_embed=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='checkpoints/focal_large.pth',
            prefix='backbone.',
        ),
    ),
    head=dict(in_channels=1536),
    train_cfg=None,
)
optim_wrapper = dict(optimizer=dict(lr=4e-5, weight_decay=1e-8))
train_cfg = dict(max_epochs=30)
param_scheduler = _base_.param_scheduler
param_scheduler[0].end = 5
param_scheduler[1].update(begin=5, eta_min=2e-7)
