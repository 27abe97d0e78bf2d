# With the background as a class of its own, as released.
_base_ = './setr-naive_vit-l_8xb2-80k_pascal-context-59-480x480.py'
heads = [dict(head, num_classes=60) for head in _base_.model.auxiliary_head]
model = dict(decode_head=dict(num_classes=60), auxiliary_head=heads)
with_background = dict(dataset=dict(type='PascalContextDataset'))
train_dataloader = with_background
val_dataloader = test_dataloader = with_background
