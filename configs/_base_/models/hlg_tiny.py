# HLG-Tiny with ImageNet weights, for detection. Drop path 0.1 is the release's
# for Tiny and Small.
hlg_tiny = dict(
    _delete_=True,
    type='mmvit.HLGTransformer',
    arch='tiny',
    drop_path_rate=0.1,
    # Written by tools/model_converters/convert_checkpoint.py.
    init_cfg=dict(
        type='Pretrained',
        checkpoint='checkpoints/hlg_tiny.pth',
        prefix='backbone.',
    ),
)
