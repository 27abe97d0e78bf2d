# PVT-Tiny with ImageNet weights, for detection and segmentation. Drop path
# 0.1 is the release's.
pvt_tiny = dict(
    _delete_=True,
    type='mmvit.PVT',
    arch='tiny',
    drop_path_rate=0.1,
    # Written by tools/model_converters/convert_checkpoint.py.
    init_cfg=dict(
        type='Pretrained',
        checkpoint='checkpoints/pvt_tiny.pth',
        prefix='backbone.',
    ),
)
