"""What the tests of configs share."""

import functools
from collections.abc import Iterator
from pathlib import Path

import mmengine.config.utils
import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, DefaultScope
from torch import nn

from mmvit.apis.config import build_model, load_config

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / 'configs'
FILES = sorted(CONFIGS.rglob('*.py'))
LEAVES = [f for f in FILES if '_base_' not in f.parts]
METAFILES = sorted(CONFIGS.rglob('metafile.yml'))
# The folders of papers; configs/quickstart has no results and no metafile.
PAPER_LEAVES = [f for f in LEAVES if f.parent.name != 'quickstart']

load_once = functools.cache(mmengine.config.utils.load)


def name_of(path: Path) -> str:
    return path.relative_to(CONFIGS).as_posix()


def each(files: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize('path', files, ids=name_of)


@functools.cache
def config_of(path: Path) -> Config:
    """Load a config as a user's one-line child: `mmvit::` and its name."""
    return load_config(f'mmvit::{name_of(path)}')


def build_on_meta(cfg: Config) -> nn.Module:
    """Build a config's model, without memory behind its parameters."""
    # The libraries' Swin reads its drop path rates out of a tensor.
    on_cpu = functools.partial(torch.linspace, device='cpu')
    with pytest.MonkeyPatch.context() as patch, torch.device('meta'):
        patch.setattr(torch, 'linspace', on_cpu)
        return build_model(cfg, device='meta')


@functools.cache
def model_of(path: Path) -> nn.Module:
    """The config's model, built once."""
    return build_on_meta(config_of(path))


@functools.cache
def models_in(metafile: Path) -> list[dict]:
    return yaml.safe_load(metafile.read_text())['Models']


def values_of(key: str, node: object) -> Iterator:
    """Everything that stands under a key in a tree of dicts and lists."""
    if isinstance(node, dict):
        if key in node:
            yield node[key]
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for child in node:
            yield from values_of(key, child)


def length_of(cfg: Config, by_epoch: bool, epoch_length: int) -> int:
    """The training's length in epochs or iterations."""
    epochs = cfg.train_cfg.get('max_epochs')
    if by_epoch:
        return epochs
    return epochs * epoch_length if epochs else cfg.train_cfg.max_iters


def build_schedulers(cfg: Config, epoch_length: int) -> list:
    """The schedulers on an optimizer of their own, as the Runner does it."""
    optimizer = torch.optim.SGD(
        [nn.Parameter(torch.zeros(1))], lr=cfg.optim_wrapper.optimizer.lr
    )
    built = []
    for params in cfg.param_scheduler:
        by_epoch = params.get('by_epoch', True)
        defaults = dict(end=length_of(cfg, by_epoch, epoch_length))
        built.append(
            PARAM_SCHEDULERS.build(
                defaults | params.to_dict(),
                default_args=dict(
                    optimizer=optimizer, epoch_length=epoch_length
                ),
            )
        )
    return built


def lr_curve(
    cfg: Config, epoch_length: int, stop: int | None = None
) -> list[float]:
    """The learning rate of every iteration, or of the first `stop`."""
    schedulers = build_schedulers(cfg, epoch_length)
    optimizer = schedulers[0].optimizer
    group = optimizer.param_groups[0]
    curve = []
    for step in range(1, (stop or length_of(cfg, False, epoch_length)) + 1):
        curve.append(group['lr'])
        optimizer.step()
        for scheduler in schedulers:
            if not scheduler.by_epoch or step % epoch_length == 0:
                scheduler.step()
    return curve


def assert_detection_schedule(
    cfg: Config, peak: float, steps: tuple[int, int]
) -> None:
    """Warm-up of 500 iterations, then a tenth after each of two epochs."""
    curve = lr_curve(cfg, 501)
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


def assert_deit_schedule(cfg: Config) -> None:
    """5 epochs from 1e-6 to 1e-3, a cosine of 295 to 1e-5."""
    curve = lr_curve(cfg, 4)
    assert len(curve) == 1200
    assert curve[0] == pytest.approx(1e-6)
    assert max(curve) == pytest.approx(1e-3, rel=0.01)
    assert curve.index(max(curve)) in (19, 20)
    assert curve[4 * 152] == pytest.approx(5e-4, rel=0.03)
    assert curve[-1] == pytest.approx(1e-5, rel=0.01)


def optimizer_groups(
    path: Path, optimizer: type = torch.optim.AdamW
) -> dict[str, dict]:
    """The group of each parameter, by the parameter's name."""
    cfg, model = config_of(path), model_of(path)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    assert isinstance(wrapper.optimizer, optimizer)
    group_of = {
        id(p): group
        for group in wrapper.optimizer.param_groups
        for p in group['params']
    }
    return {name: group_of[id(p)] for name, p in model.named_parameters()}
