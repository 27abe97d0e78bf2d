"""The recipes of configs/pvt against the paper and the authors' release."""

import re

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope

from .config_tools import (
    CONFIGS,
    build_schedulers,
    config_of,
    length_of,
    model_of,
    values_of,
)


def pvt_config(stem: str) -> Config:
    return config_of(CONFIGS / 'pvt' / f'{stem}.py')


def lr_curve(stem: str, epoch_length: int) -> list[float]:
    """The learning rate of every iteration."""
    cfg = pvt_config(stem)
    schedulers = build_schedulers(cfg, epoch_length)
    optimizer = schedulers[0].optimizer
    group = optimizer.param_groups[0]
    curve = []
    for step in range(1, length_of(cfg, False, epoch_length) + 1):
        curve.append(group['lr'])
        optimizer.step()
        for scheduler in schedulers:
            if not scheduler.by_epoch or step % epoch_length == 0:
                scheduler.step()
    return curve


@pytest.mark.parametrize(
    ('settings', 'steps'), [('1x', (8, 11)), ('ms-3x', (27, 33))]
)
@pytest.mark.parametrize(
    ('method', 'peak'), [('retinanet', 1e-4), ('mask-rcnn', 2e-4)]
)
def test_detection_schedule(
    method: str, peak: float, settings: str, steps: tuple[int, int]
) -> None:
    curve = lr_curve(f'{method}_pvt-l_fpn_{settings}_coco', 501)
    assert curve[0] == pytest.approx(peak * 1e-3)
    assert curve[250] == pytest.approx(peak / 2, rel=0.01)
    first, second = (step * 501 for step in steps)
    for part, lr in (
        (curve[500:first], peak),
        (curve[first:second], peak / 10),
        (curve[second:], peak / 100),
    ):
        assert min(part) == pytest.approx(lr)
        assert max(part) == pytest.approx(lr)


def test_classification_schedule() -> None:
    curve = lr_curve('pvt-l_8xb128-300e_in1k', 4)
    assert curve[0] == pytest.approx(1e-6)
    assert max(curve) == pytest.approx(1e-3, rel=0.01)
    assert curve.index(max(curve)) in (19, 20)
    assert curve[4 * 152] == pytest.approx(5e-4, rel=0.03)
    assert curve[-1] == pytest.approx(1e-5, rel=0.01)


def test_segmentation_schedule() -> None:
    curve = lr_curve('fpn_pvt-l_4xb4-80k_ade20k-512x512', 1)
    assert len(curve) == 80_000
    assert curve[40_000] == pytest.approx(1e-4 * 0.5**0.9, rel=1e-3)
    assert curve[-1] < 1e-8


def optimizer_groups(stem: str) -> dict[str, dict]:
    """The group of each parameter, by the parameter's name."""
    cfg = pvt_config(stem)
    model = model_of(CONFIGS / 'pvt' / f'{stem}.py')
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    assert isinstance(wrapper.optimizer, torch.optim.AdamW)
    group_of = {
        id(p): group
        for group in wrapper.optimizer.param_groups
        for p in group['params']
    }
    return {name: group_of[id(p)] for name, p in model.named_parameters()}


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
    for group in optimizer_groups(stem).values():
        assert (group['lr'], group['weight_decay']) == (lr, 1e-4)
    assert pvt_config(stem).optim_wrapper.get('clip_grad') is None


def test_classification_optimizer() -> None:
    groups = optimizer_groups('pvt-s_8xb128-300e_in1k')
    model = model_of(CONFIGS / 'pvt/pvt-s_8xb128-300e_in1k.py')
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
    cfg = pvt_config(f'pvt-{size}_8xb128-300e_in1k')
    assert cfg.model.backbone.drop_path_rate == classify
    expected = clip and dict(max_norm=clip)
    assert cfg.optim_wrapper.get('clip_grad') == expected
    for stem, rate in (
        (f'retinanet_pvt-{size}_fpn_1x_coco', detect),
        (f'mask-rcnn_pvt-{size}_fpn_ms-3x_coco', detect),
        (f'fpn_pvt-{size}_4xb4-80k_ade20k-512x512', 0.1),
    ):
        assert pvt_config(stem).model.backbone.drop_path_rate == rate


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
    cfg = pvt_config(f'retinanet_pvt-s_fpn_{settings}_coco')
    for loader, scale in (
        (cfg.train_dataloader, train),
        (cfg.val_dataloader, test),
        (cfg.test_dataloader, test),
    ):
        assert list(values_of('scale', loader.to_dict())) == [scale]


def test_models_of_the_sizes_differ_as_named() -> None:
    names = dict(t='tiny', s='small', m='medium', l='large')
    for path in (CONFIGS / 'pvt').glob('*.py'):
        size = re.search(r'pvt-([tsml])(-wide)?_', path.stem)
        if size:
            arch = names[size[1]] + (size[2] or '')
            backbone = config_of(path).model.backbone
            assert backbone.arch == arch
            init = backbone.get('init_cfg')
            if init:
                assert init.checkpoint == f'checkpoints/pvt_{arch}.pth'
