"""The recipes of configs/pvt against the paper and the authors' release."""

import pytest

from ..support.config_tools import (
    assert_deit_schedule,
    assert_detection_schedule,
    lr_curve,
)
from .recipes import (
    Folder,
    assert_scales,
)

PVT = Folder('pvt')


@pytest.mark.parametrize(
    ('settings', 'steps'), [('1x', (8, 11)), ('ms-3x', (27, 33))]
)
@pytest.mark.parametrize(
    ('method', 'peak'), [('retinanet', 1e-4), ('mask-rcnn', 2e-4)]
)
def test_detection_schedule(
    method: str, peak: float, settings: str, steps: tuple[int, int]
) -> None:
    cfg = PVT.config(f'{method}_pvt-l_fpn_{settings}_coco')
    assert_detection_schedule(cfg, peak, steps)


def test_classification_schedule() -> None:
    assert_deit_schedule(PVT.config('pvt-l_8xb128-300e_in1k'))


def test_segmentation_schedule() -> None:
    cfg = PVT.config('fpn_pvt-l_4xb4-80k_ade20k-512x512')
    curve = lr_curve(cfg, 1)
    assert len(curve) == 80_000
    assert curve[40_000] == pytest.approx(1e-4 * 0.5**0.9, rel=1e-3)
    assert curve[-1] < 1e-8


@pytest.mark.parametrize(
    ('stem', 'lr'),
    [
        ('retinanet_pvt-s_fpn_1x_coco', 1e-4),
        ('retinanet_pvt-s_fpn_ms-3x_coco', 1e-4),
        ('mask-rcnn_pvt-s_fpn_1x_coco', 2e-4),
        ('fpn_pvt-s_4xb4-80k_ade20k-512x512', 1e-4),
    ],
)
def test_dense_optimizer_treats_all_alike(stem: str, lr: float) -> None:
    groups = PVT.groups(stem)
    for group in groups.values():
        assert (group['lr'], group['weight_decay']) == (lr, 1e-4)
    assert PVT.config(stem).optim_wrapper.get('clip_grad') is None


def test_classification_optimizer() -> None:
    stem = 'pvt-s_8xb128-300e_in1k'
    groups, model = PVT.groups(stem), PVT.model(stem)
    seen = set()
    for name, parameter in model.named_parameters():
        decays = parameter.squeeze().ndim > 1 or 'position' in name
        assert groups[name]['lr'] == 1e-3
        assert groups[name]['weight_decay'] == (0.05 if decays else 0), name
        seen.add(name.rpartition('.')[2])
    assert 'cls_token' in seen


@pytest.mark.parametrize(
    ('size', 'classify', 'detect', 'clip'),
    [
        ('t', 0.1, 0.1, None),
        ('s', 0.1, 0.1, None),
        ('m', 0.3, 0.0, 1.0),
        ('l', 0.3, 0.0, 1.0),
    ],
)
def test_drop_path_and_clipping(
    size: str, classify: float, detect: float, clip: float | None
) -> None:
    cfg = PVT.config(f'pvt-{size}_8xb128-300e_in1k')
    assert cfg.model.backbone.drop_path_rate == classify
    expected = clip and dict(max_norm=clip)
    assert cfg.optim_wrapper.get('clip_grad') == expected
    for stem, rate in (
        (f'retinanet_pvt-{size}_fpn_1x_coco', detect),
        (f'mask-rcnn_pvt-{size}_fpn_ms-3x_coco', detect),
        (f'fpn_pvt-{size}_4xb4-80k_ade20k-512x512', 0.1),
    ):
        assert PVT.config(stem).model.backbone.drop_path_rate == rate


@pytest.mark.parametrize(
    ('settings', 'train', 'test'),
    [
        ('1x', (1333, 800), (1333, 800)),
        ('scratch-1x', (1333, 800), (1333, 800)),
        ('ms-3x', [(1333, 640), (1333, 800)], (1333, 800)),
        ('scratch-ms-3x', [(1333, 640), (1333, 800)], (1333, 800)),
        ('640-1x', (1066, 640), (1066, 640)),
    ],
)
def test_detection_sizes(
    settings: str, train: list | tuple, test: tuple
) -> None:
    assert_scales(
        PVT.config(f'retinanet_pvt-s_fpn_{settings}_coco'), train, test
    )
