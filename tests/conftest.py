"""Data sets and commands that the tests of engine and tools share."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import mmengine.config.utils
import mmengine.dataset.base_dataset
import mmengine.infer.infer
import pytest
import torch
import yapf.yapflib.yapf_api
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.utils import ManagerMixin

from mmvit.apis.config import build_model

from .support.config_tools import load_once
from .support.helpers import load_tool
from .support.scenes import write_scenes
from .support.tiny import tiny_config, write_config

# The processes of pytest-xdist start after this line. Each must name and order
# the tests in the same way, also those made from a set.
os.environ.setdefault('PYTHONHASHSEED', '0')


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what makes a test longer than the suite needs it."""
    parser.addoption(
        '--all-forms',
        action='store_true',
        help='give each tool every hostile file, not two of them',
    )


def _forget_runs() -> None:
    """Clear what mmengine keeps of a run for the life of a process."""
    for logger in MMLogger._instance_dict.values():
        for handler in logger.handlers:
            handler.close()
    keepers = [ManagerMixin]
    for keeper in keepers:
        keepers += keeper.__subclasses__()
        keeper._instance_dict.clear()


@pytest.fixture(scope='session', autouse=True)
def no_garbage_collection() -> Iterator[None]:
    """Build data sets without a garbage collection for each.

    With all libraries imported it takes half a second.
    """
    with pytest.MonkeyPatch.context() as patch:
        idle = SimpleNamespace(collect=lambda: 0)
        patch.setattr(mmengine.dataset.base_dataset, 'gc', idle)
        yield


@pytest.fixture(scope='session', autouse=True)
def metafiles_are_read_once() -> Iterator[None]:
    """mmengine reads all metafiles of a library for each base anew."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (mmengine.config.utils, mmengine.infer.infer):
            patch.setattr(module, 'load', load_once)
        yield


@pytest.fixture(scope='session')
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Root of the tiny data sets of all tasks; not to be changed."""
    return write_scenes(tmp_path_factory.mktemp('scenes'))


@pytest.fixture
def own_scenes(tmp_path: Path) -> Path:
    """Root of tiny data sets that the test may spoil."""
    return write_scenes(tmp_path / 'own')


@pytest.fixture
def fresh_runs() -> Iterator[Callable[[], None]]:
    """Forget earlier runs, now, when called, and at the end."""
    _forget_runs()
    yield _forget_runs
    _forget_runs()


@pytest.fixture
def plain_dumps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write configs without formatting, which takes longer than a run."""
    monkeypatch.setattr(
        yapf.yapflib.yapf_api, 'FormatCode', lambda text, **_: (text, True)
    )


@pytest.fixture
def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write checkpoints without waiting for the disk."""
    monkeypatch.setattr(os, 'fsync', lambda number: None)


@pytest.fixture
def command(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fresh_runs: Callable[[], None],
    plain_dumps: None,
    no_sync: None,
) -> Callable[..., Path]:
    """Run a tool's main() in this process: (tool, config, *arguments).

    Returns the work dir, `tmp_path / 'work'` unless the arguments name one.
    """
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.chdir(tmp_path)

    def run(tool: str, config: Config | str, *args: object) -> Path:
        fresh_runs()
        if isinstance(config, Config):
            config = write_config(config, tmp_path / 'config.py')
        args = [str(arg) for arg in args]
        if '--work-dir' not in args:
            args += ['--work-dir', str(tmp_path / 'work')]
        load_tool(tool).main([config, *args])
        return Path(args[args.index('--work-dir') + 1])

    return run


@pytest.fixture
def untrained(
    scenes: Path, tmp_path: Path, fresh_runs: Callable[[], None]
) -> Callable[[str], tuple[Config, Path]]:
    """Make a task's config and a checkpoint of its weights as drawn."""

    def make(task: str) -> tuple[Config, Path]:
        cfg = tiny_config(task, scenes)
        model = build_model(cfg)
        model.init_weights()
        path = tmp_path / f'{task}.pth'
        torch.save(dict(state_dict=model.state_dict()), path)
        return cfg, path

    return make
