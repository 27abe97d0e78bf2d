# Table 9, four blocks in stage 3. All else is mmdet's Mask R-CNN + Swin-T,
# with the weights of swin-t-depth2242_16xb64-300e_in1k.py.
_base_ = [
    'mmdet::swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco.py',
    '../_base_/models/swin_tiny.py',
    '../_base_/runtime/guards.py',
]
weights = dict(
    _base_.swin_tiny.init_cfg, checkpoint='checkpoints/swin_tiny-depth2242.pth'
)
arch = dict(embed_dims=96, depths=[2, 2, 4, 2], num_heads=[3, 6, 12, 24])
model = dict(backbone=dict(_base_.swin_tiny, arch=arch, init_cfg=weights))
auto_scale_lr = dict(base_batch_size=16, enable=False)
