_base_ = './setr-pup_vit-l_8xb1-40k_cityscapes-768x768.py'
model = dict(backbone=dict(init_cfg=None))
