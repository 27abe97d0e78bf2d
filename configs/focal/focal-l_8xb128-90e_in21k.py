# Focal-Large on ImageNet-22K. The paper says no more than that it was
# pre-trained there. Its patch embeddings overlap: otherwise the parameters of
# Tables 5 and 6 do not come out. 90 epochs with 5 of warm-up and drop path
# 0.2 are Swin's for that data set; lr 1e-3 for 1,024 images is that of the
# other sizes. mmpretrain's data set has 21,842 classes and no images to
# validate on.
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
val_dataloader = val_cfg = val_evaluator = None
test_dataloader = test_cfg = test_evaluator = None
param_scheduler = _base_.param_scheduler
param_scheduler[0].end = param_scheduler[1].begin = 5
