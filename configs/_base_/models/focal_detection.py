# Focal Transformer for detection. The paper raises the "focal sizes" to (15,
# 13, 9, 7), so that attention covers half of the map in stages 1 and 2 and all
# of it in stages 3 and 4. These are sizes of the coarse level. The paper
# mentions them together with the 3x schedule; here all schedules have them.
focal_detection = dict(
    _delete_=True,
    type='mmvit.FocalTransformer',
    arch='tiny',
    overrides=dict(focal_regions=((13, 15), (13, 13), (13, 9), (7, 7))),
    drop_path_rate=0.2,
    init_cfg=dict(
        type='Pretrained',
        checkpoint='checkpoints/focal_tiny.pth',
        prefix='backbone.',
    ),
)
focal_detection_large = dict(
    focal_detection,
    arch='large',
    conv_embed=True,
    init_cfg=dict(
        type='Pretrained',
        checkpoint='checkpoints/focal_large.pth',
        prefix='backbone.',
    ),
)
focal_detection_large_3_maps = dict(
    **focal_detection_large, out_indices=(1, 2, 3)
)
