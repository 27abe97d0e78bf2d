# ScalableViT-S with ImageNet weights, for detection and segmentation. The
# paper states no drop path for them; ImageNet's is used.
scalablevit_small = dict(
    _delete_=True,
    type='mmvit.ScalableViT',
    arch='small',
    drop_path_rate=0.2,
    # Written by tools/model_converters/convert_checkpoint.py.
    init_cfg=dict(
        type='Pretrained',
        checkpoint='checkpoints/scalablevit_small.pth',
        prefix='backbone.',
    ),
)
