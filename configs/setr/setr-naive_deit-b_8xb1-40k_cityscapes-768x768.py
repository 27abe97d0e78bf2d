_base_ = './setr-naive_vit-b_8xb1-40k_cityscapes-768x768.py'
weights = dict(checkpoint='checkpoints/deit_base_distilled_384.pth')
model = dict(backbone=dict(init_cfg=weights))
