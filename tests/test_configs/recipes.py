"""What the papers' recipes have in common."""

import copy
from pathlib import Path

import pytest
from mmengine.config import Config
from torch import nn

from mmvit.apis.tta import enable_tta

from ..support.config_tools import (
    CONFIGS,
    config_of,
    lr_curve,
    model_of,
    optimizer_groups,
    values_of,
)

NORMS = nn.LayerNorm | nn.modules.batchnorm._BatchNorm


class Folder:
    """The configs of one paper, by the stems of their files."""

    def __init__(self, name: str) -> None:
        self.folder = CONFIGS / name

    def path(self, stem: str) -> Path:
        return self.folder / f'{stem}.py'

    def config(self, stem: str) -> Config:
        return config_of(self.path(stem))

    def model(self, stem: str) -> nn.Module:
        return model_of(self.path(stem))

    def groups(self, stem: str, **kwargs) -> dict[str, dict]:
        return optimizer_groups(self.path(stem), **kwargs)

    def with_tta(self, stem: str) -> Config:
        """The config after `enable_tta`, which changes it in place."""
        cfg = copy.deepcopy(self.config(stem))
        enable_tta(cfg)
        return cfg


def assert_swin_schedule(cfg: Config, first: float = 1e-6) -> None:
    """20 epochs of warm-up to 1e-3, a cosine of 280 to 1e-5."""
    curve = lr_curve(cfg, 4)
    assert len(curve) == 1200
    assert curve[0] == pytest.approx(first)
    assert curve[40] == pytest.approx(5e-4, rel=0.03)
    assert curve.index(max(curve)) in (79, 80)
    assert max(curve) == pytest.approx(1e-3, rel=0.01)
    assert curve[4 * 160] == pytest.approx(5e-4, rel=0.02)
    assert curve[-1] == pytest.approx(1e-5, rel=0.01)


def assert_upernet_schedule(cfg: Config, length: int = 160_000) -> None:
    """1,500 iterations of warm-up to 6e-5, then a line to 0."""
    assert cfg.train_cfg.max_iters == length
    curve = lr_curve(cfg, 1, stop=2500)
    assert curve[0] == pytest.approx(6e-11)
    assert curve[750] == pytest.approx(3e-5, rel=0.01)
    assert max(curve) == pytest.approx(6e-5, rel=0.01)
    assert curve[-1] == pytest.approx(
        6e-5 * (1 - 1000 / (length - 1500)), rel=1e-3
    )
    assert 'eta_min' not in cfg.param_scheduler[-1]


def assert_only_matrices_decay(folder: Folder, stem: str) -> None:
    """lr 1e-3 for all, weight decay 0.05 except for norms and biases."""
    groups = folder.groups(stem)
    for name, parameter in folder.model(stem).named_parameters():
        assert groups[name]['lr'] == 1e-3
        expected = 0.05 if parameter.ndim > 1 else 0
        assert groups[name]['weight_decay'] == expected, name


def assert_norms_do_not_decay(
    folder: Folder, stem: str, decay: float, but_also: str | None = None
) -> None:
    """Norms, and modules whose path ends with `but_also`, do not decay."""
    groups = folder.groups(stem)
    seen = set()
    for path, module in folder.model(stem).named_modules():
        free = isinstance(module, NORMS) or bool(
            but_also and path.endswith(but_also)
        )
        for name, _ in module.named_parameters(prefix=path, recurse=False):
            expected = 0 if free else decay
            assert groups.pop(name)['weight_decay'] == expected, name
            seen.add(free)
    assert seen == {True, False}
    assert not groups


def assert_drop_path(folder: Folder, stems: list[str], rate: float) -> None:
    for stem in stems:
        backbone = folder.config(stem).model.backbone
        assert backbone.drop_path_rate == rate, stem


def assert_scales(cfg: Config, train: list | tuple, test: tuple) -> None:
    """The sizes of images in training, validation and test."""
    for loader, scale in (
        (cfg.train_dataloader, train),
        (cfg.val_dataloader, test),
        (cfg.test_dataloader, test),
    ):
        assert list(values_of('scale', loader.to_dict())) == [scale]


def assert_tta(cfg: Config, scales: list[tuple[int, int]]) -> None:
    """Segmentation is tested at these sizes, with and without a flip."""
    resizes, flips, *_ = cfg.test_dataloader.dataset.pipeline[1].transforms
    assert [step.scale for step in resizes] == scales
    assert [step.prob for step in flips] == [0, 1]
    assert cfg.tta_model.type == 'mmvit.SegmentationTTAModel'


def ms_scales(side: int) -> list[tuple[int, int]]:
    """ADE20K's sizes for a test of several scales."""
    ratios = (0.5, 0.75, 1, 1.25, 1.5, 1.75)
    return [(int(4 * side * r), int(side * r)) for r in ratios]
