"""The rows that the papers trained for comparison."""

import pytest
from torch import nn

from ..support.config_tools import (
    assert_detection_schedule,
    lr_curve,
    values_of,
)
from .recipes import Folder, assert_scales, assert_swin_schedule

FOCAL, PVT, SETR = map(Folder, ('focal', 'pvt', 'setr'))
ADE = '4xb4-40k_ade20k-512x512'


def test_retinanet_r50_has_the_recipe_of_pvt() -> None:
    cfg = PVT.config('retinanet_r50_fpn_1x_coco')
    assert_detection_schedule(cfg, 1e-4, (8, 11))
    assert (
        cfg.optim_wrapper
        == PVT.config('retinanet_pvt-s_fpn_1x_coco').optim_wrapper
    )
    assert cfg.model.backbone.type == 'ResNet'


@pytest.mark.parametrize(
    ('stem', 'head', 'strides'),
    [
        ('deeplabv3plus_r50-d8', 'DepthwiseSeparableASPPHead', (1, 2, 1, 1)),
        ('deeplabv3plus_r50-d16', 'DepthwiseSeparableASPPHead', (1, 2, 2, 1)),
        ('trans2seg_r50-d16', 'mmvit.Trans2SegHead', (1, 2, 2, 1)),
    ],
)
def test_r50_on_ade20k(stem: str, head: str, strides: tuple) -> None:
    cfg = PVT.config(f'{stem}_{ADE}')
    backbone = cfg.model.backbone
    assert (backbone.depth, backbone.strides) == (50, strides)
    # The stride of a stage becomes its dilation.
    dilations = (1, 1, 2, 4) if strides[2] == 1 else (1, 1, 1, 2)
    assert backbone.dilations == dilations
    assert cfg.model.decode_head.type == head
    assert 'auxiliary_head' not in cfg.model or not cfg.model.auxiliary_head
    curve = lr_curve(cfg, 1, stop=20_001)
    assert curve[20_000] == pytest.approx(1e-4 * 0.5**0.9, rel=1e-3)
    assert cfg.train_cfg.max_iters == 40_000
    trans2seg = PVT.config(f'trans2seg_pvt-s_{ADE}')
    assert cfg.optim_wrapper == trans2seg.optim_wrapper
    assert cfg.train_dataloader == trans2seg.train_dataloader


@pytest.mark.parametrize(
    ('size', 'depth', 'width', 'rate'),
    [('t', 6, 96, 0.2), ('s', 18, 96, 0.3), ('b', 18, 128, 0.5)],
)
@pytest.mark.parametrize(
    ('settings', 'steps', 'train'),
    [
        ('1x', (8, 11), (1333, 800)),
        ('ms-3x', (27, 33), [(1333, 480), (1333, 800)]),
    ],
)
def test_retinanet_swin_has_the_recipe_of_focal(
    size: str,
    depth: int,
    width: int,
    rate: float,
    settings: str,
    steps: tuple,
    train: list | tuple,
) -> None:
    stem = f'retinanet_swin-{size}_fpn_{settings}_coco'
    cfg = FOCAL.config(stem)
    assert_detection_schedule(cfg, 1e-4, steps)
    assert_scales(cfg, train, (1333, 800))
    assert cfg.model.backbone.drop_path_rate == rate
    backbone = FOCAL.model(stem).backbone
    assert len(backbone.stages[2].blocks) == depth
    assert backbone.num_features == [width * 2**i for i in range(4)]
    for name, group in FOCAL.groups(stem).items():
        free = 'norm' in name or 'position_bias' in name
        if name.startswith('backbone.'):
            assert group['weight_decay'] == (0 if free else 0.05), name
    weights = dict(t='tiny', s='small', b='base')[size]
    assert f'/swin_{weights}_patch4' in cfg.model.backbone.init_cfg.checkpoint


@pytest.mark.parametrize(
    ('variant', 'windows', 'depth', 'shifts'),
    [
        ('w14', [14, 14, 14, 7], 6, True),
        ('no-shift', [7, 7, 7, 7], 6, False),
        ('depth2222', [7, 7, 7, 7], 2, True),
        ('depth2242', [7, 7, 7, 7], 4, True),
    ],
)
def test_ablations_of_swin(
    variant: str, windows: list, depth: int, shifts: bool
) -> None:
    classifier = f'swin-t-{variant}_16xb64-300e_in1k'
    detector = f'mask-rcnn_swin-t-{variant}_fpn_1x_coco'
    for stem in (classifier, detector):
        stages = FOCAL.model(stem).backbone.stages
        attns = [stage.blocks[1].attn for stage in stages]
        assert [attn.window_size for attn in attns] == windows
        assert all(bool(attn.shift_size) == shifts for attn in attns)
        assert len(stages[2].blocks) == depth
        assert FOCAL.config(stem).model.backbone.drop_path_rate == 0.2
    assert_swin_schedule(FOCAL.config(classifier))
    cfg = FOCAL.config(detector)
    assert cfg.model.backbone.init_cfg.checkpoint == (
        f'checkpoints/swin_tiny-{variant}.pth'
    )
    assert max(lr_curve(cfg, 501)) == pytest.approx(1e-4)
    names = {
        name for name, _ in FOCAL.model(classifier).backbone.named_parameters()
    }
    kept = {
        name
        for name, _ in FOCAL.model(detector).backbone.named_parameters()
        if not name.startswith(('norm0', 'norm1', 'norm2'))
    }
    assert kept == names


@pytest.mark.parametrize(
    ('stem', 'sibling'),
    [
        (
            'fcn_r101-d8_8xb2-160k_ade20k-512x512',
            'setr-pup_vit-l_8xb2-160k_ade20k-512x512',
        ),
        (
            'fcn_r101-d8_8xb1-40k_cityscapes-768x768',
            'setr-pup_vit-l_8xb1-40k_cityscapes-768x768',
        ),
    ],
)
def test_fcn_has_the_recipe_of_setr(stem: str, sibling: str) -> None:
    cfg, setr = SETR.config(stem), SETR.config(sibling)
    for key in (
        'optim_wrapper',
        'param_scheduler',
        'train_cfg',
        'train_dataloader',
        'test_dataloader',
        'tta_pipeline',
        'auto_scale_lr',
    ):
        assert cfg[key] == setr[key], key
    assert cfg.model.test_cfg == setr.model.test_cfg
    assert cfg.model.backbone.depth == 101
    crop = tuple(next(values_of('crop_size', cfg.train_dataloader.to_dict())))
    assert cfg.model.data_preprocessor.size == crop
    head = SETR.model(stem).decode_head
    assert isinstance(head.conv_seg, nn.Conv2d)
    assert head.num_classes == setr.model.decode_head.num_classes
