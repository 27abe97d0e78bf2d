_base_ = './retinanet_swin-t_fpn_1x_coco.py'
weights = dict(checkpoint=_base_.pretrained.replace('tiny', 'small'))
size = dict(depths=[2, 2, 18, 2], drop_path_rate=0.3)
model = dict(backbone=dict(**size, init_cfg=weights))
