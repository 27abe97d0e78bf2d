"""What the tests of several tools share."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mmvit.apis.config import build_model
from tests.support.scenes import CLASSES
from tests.support.tiny import tiny_config, write_config


@pytest.fixture
def config(tmp_path: Path, plain_dumps: None) -> Callable[..., str]:
    """Write a task's tiny config: config(task, name='x.py', **options)."""

    def write(task: str, name: str = 'tiny.py', **options) -> str:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        return write_config(
            tiny_config(task, 'nowhere', **options), tmp_path / name
        )

    return write


@pytest.fixture(scope='session')
def weights(
    scenes: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], str]:
    """Make a task's checkpoint, once, of weights as drawn."""
    folder = tmp_path_factory.mktemp('weights')

    @functools.cache
    def make(task: str) -> str:
        torch.manual_seed(0)  # whichever test is the first to ask
        model = build_model(tiny_config(task, scenes))
        model.init_weights()
        classes = ('ground', *CLASSES) if task == 'seg' else CLASSES
        meta = dict(dataset_meta=dict(classes=classes))
        path = folder / f'{task}.pth'
        torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
        return str(path)

    return make


@pytest.fixture
def trained(
    scenes: Path,
    weights: Callable[[str], str],
    tmp_path: Path,
    fresh_runs: Callable[[], None],
    plain_dumps: None,
) -> Callable[..., tuple[str, str]]:
    """Write a task's config; returns its name and that of a checkpoint."""

    def make(task: str) -> tuple[str, str]:
        path = write_config(tiny_config(task, scenes), tmp_path / f'{task}.py')
        return path, weights(task)

    return make
