"""A quickstart config from published weights, with kills on the way."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from mmvit.apis.config import build_model, load_config
from tests.support.file_server import FileServer, Page, file_server
from tests.support.helpers import ROOT, load_tool, losses, weights_of
from tests.support.processes import end, start
from tests.support.published_pvt import published_names, saved

CONFIG = ROOT / 'configs/quickstart/pvt-nano_1xb32-15e_digit-scenes-64x64.py'
NAME = 'pvt-t_in1k'
# The learning rate leaves the weights as they were loaded.
OPTIONS = (
    'model.backbone.init_cfg.type=Pretrained',
    f'model.backbone.init_cfg.checkpoint=mmvit://{NAME}',
    *('train_cfg.max_epochs=1', 'optim_wrapper.optimizer.lr=1e-30'),
    *('train_dataloader.num_workers=0', 'val_dataloader.num_workers=0'),
)


@pytest.fixture
def server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_runs: Callable
) -> Iterator[FileServer]:
    """A mirror with weights of the quickstart's model, and its data set."""
    monkeypatch.setenv('MMVIT_HOME', str(tmp_path / 'home'))
    monkeypatch.chdir(tmp_path)
    scenes = load_tool('dataset_converters/digit_scenes')
    sizes = dict(seed=0, num_train=10, num_val=10, size=64)
    scenes.write_dataset(tmp_path / 'data/digit_scenes', **sizes)
    model = build_model(load_config(str(CONFIG)))
    model.init_weights()
    body = saved(published_names(model.state_dict()))
    with file_server() as server:
        monkeypatch.setenv('MMVIT_ZOO_MIRROR', server.address)
        server.pages[f'/{NAME}.pth'] = Page(body)
        server.weights = model.state_dict()
        yield server


def kill_in_mid_download(args: list[str], part: Path, size: int) -> None:
    log = Path('killed.txt').absolute()
    process = start('train', *args, log=log)
    deadline = time.monotonic() + 300
    while not (part.exists() and part.stat().st_size > size / 3):
        assert process.is_alive(), log.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert end([process], seconds=0) == [-signal.SIGKILL]


@pytest.mark.slow
def test_training_goes_on_after_a_kill(server, command, tmp_path):
    page = server.pages[f'/{NAME}.pth']
    page.pause = 0.02
    published = tmp_path / 'home/published'
    part = published / f'{NAME}.pth.part'
    kill_in_mid_download(
        [str(CONFIG), '--work-dir', 'killed', '--cfg-options', *OPTIONS],
        part,
        len(page.body),
    )
    came = part.stat().st_size
    assert came < len(page.body)
    assert not (published / f'{NAME}.pth').exists()
    assert not (tmp_path / 'home/converted').exists()
    page.pause = 0.0
    work_dir = command('train', str(CONFIG), '--cfg-options', *OPTIONS)
    wanted = [(f'/{NAME}.pth', ''), (f'/{NAME}.pth', f'bytes={came}-')]
    assert server.requests == wanted
    assert len(losses(work_dir)) <= 1
    trained = weights_of(work_dir / 'epoch_1.pth')
    for name, value in server.weights.items():
        if name.startswith('backbone.'):
            torch.testing.assert_close(trained[name], value)
    # The same file, to be tested and to start from
    command('test', str(CONFIG), f'mmvit://{NAME}')
    start = f'load_from=mmvit://{NAME}'
    work_dir = command(
        *('train', str(CONFIG), '--work-dir', tmp_path / 'second'),
        *('--cfg-options', start, *OPTIONS[2:]),
    )
    trained = weights_of(work_dir / 'epoch_1.pth')
    torch.testing.assert_close(trained, server.weights)
    assert server.requests == wanted
