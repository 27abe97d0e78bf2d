"""What the tests of configs share."""

import functools
from collections.abc import Iterator
from pathlib import Path

import mmengine.config.utils
import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.registry import PARAM_SCHEDULERS
from torch import nn

from mmvit.utils import build_model, load_config

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / 'configs'
FILES = sorted(CONFIGS.rglob('*.py'))
LEAVES = [f for f in FILES if '_base_' not in f.parts]
METAFILES = sorted(CONFIGS.rglob('metafile.yml'))
# The folders of papers; configs/quickstart has no results and no metafile.
PAPER_LEAVES = [f for f in LEAVES if f.parent.name != 'quickstart']

_load_once = functools.cache(mmengine.config.utils.load)


def name_of(path: Path) -> str:
    return path.relative_to(CONFIGS).as_posix()


def each(files: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize('path', files, ids=name_of)


@functools.cache
def config_of(path: Path) -> Config:
    with pytest.MonkeyPatch.context() as patch:
        # mmengine reads all metafiles of a library for each `mmdet::` anew.
        patch.setattr(mmengine.config.utils, 'load', _load_once)
        return load_config(str(path))


@functools.cache
def model_of(path: Path) -> nn.Module:
    """The config's model, without memory behind its parameters."""
    with torch.device('meta'):
        return build_model(config_of(path), device='meta')


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
