# Swin-T for detection as mmpretrain builds it, so that the checkpoints of its
# classifiers fit. The variants of Focal's ablations are made of it.
swin_tiny = dict(
    _delete_=True,
    type='mmpretrain.SwinTransformer',
    arch='tiny',
    drop_path_rate=0.2,
    out_indices=(0, 1, 2, 3),
    pad_small_map=True,
    init_cfg=dict(
        type='Pretrained',
        checkpoint='checkpoints/swin_tiny.pth',
        prefix='backbone.',
    ),
)
