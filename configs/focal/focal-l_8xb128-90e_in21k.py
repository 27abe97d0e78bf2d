# Focal-Large on ImageNet-22K. The paper says no more than that it was
# pre-trained there. Its patch embeddings overlap: without that the parameters
# of Tables 5 and 6 do not come out. 90 epochs with 5 of warm-up and drop path
# 0.2 are Swin's for that data set, lr 1e-3 for 1,024 images is that of the
# other sizes.
# 21,842 classes, as mmpretrain's data set has them; nothing to validate on.
_base_ = './focal-t_8xb128-300e_in1k.py'
data_preprocessor = dict(num_classes=21842)
model = dict(
    backbone=dict(arch='large', conv_embed=True, drop_path_rate=0.2),
    head=dict(in_channels=1536, num_classes=21842),
)
train_dataloader = dict(
    dataset=dict(type='ImageNet21k', data_root='data/imagenet21k')
)
train_cfg = dict(max_epochs=90)
val_dataloader = None
val_cfg = None
val_evaluator = None
test_dataloader = None
test_cfg = None
test_evaluator = None
param_scheduler = [
    dict(
        type='LinearLR', start_factor=1e-2, end=5, convert_to_iter_based=True
    ),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=5),
]
