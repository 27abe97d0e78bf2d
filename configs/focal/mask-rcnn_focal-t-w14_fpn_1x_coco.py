# Table 7, windows of 14 tokens. The coarse regions, which the paper leaves
# open, reach about as far as those of its other detectors; the fine ones are
# those of ImageNet's config.
_base_ = './mask-rcnn_focal-t_fpn_1x_coco.py'
model = dict(
    backbone=dict(
        overrides=dict(
            window_sizes=(14, 14, 14, 7),
            focal_windows=((1, 14), (1, 14), (1, 14), (1, 7)),
            focal_regions=((20, 7), (20, 7), (14, 5), (7, 7)),
        ),
        init_cfg=dict(checkpoint='checkpoints/focal_tiny-w14.pth'),
    )
)
