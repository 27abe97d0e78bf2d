# Pale-T with ImageNet weights, for detection and segmentation. The paper
# states no drop path for them; ImageNet's is used.
pale_tiny = dict(
    _delete_=True,
    type='mmvit.PaleTransformer',
    arch='tiny',
    drop_path_rate=0.2,
    init_cfg=dict(
        type='Pretrained',
        checkpoint='checkpoints/pale_tiny.pth',
        prefix='backbone.',
    ),
)
