# With BEiT's relative positions, layer scale and class token.
_base_ = './setr-pup_vit-l_8xb1-40k_cityscapes-768x768.py'
beit = dict(with_cls_token=True, relative_position=True, layer_scale=1e-5)
weights = dict(checkpoint='checkpoints/beit_large_22k.pth')
model = dict(backbone=dict(beit, init_cfg=weights))
