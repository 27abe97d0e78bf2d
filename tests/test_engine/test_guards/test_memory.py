"""Out of memory, and disk full: what is said."""

import errno
import os
import socket
import subprocess

import pytest
import torch
from mmengine.hooks import Hook

from mmvit.checkpoints import safe_load
from mmvit.engine.guards.checkpoints import AtomicBackend, newest_checkpoint
from tests.support.tiny import TASKS, tiny_config
from tests.support.toy import toy_runner


class Fails(Hook):
    def __init__(self, error):
        self.error = error

    def after_train_iter(self, runner, *args, **kwargs):
        raise self.error


@pytest.mark.parametrize('task', TASKS)
def test_advice(command, scenes, task, monkeypatch):
    def fail(*args, **kwargs):
        raise torch.OutOfMemoryError('CUDA out of memory.')

    monkeypatch.setattr('mmengine.optim.OptimWrapper.backward', fail)
    cfg = tiny_config(task, scenes)
    cfg.optim_wrapper.accumulative_counts = 2
    with pytest.raises(torch.OutOfMemoryError) as error:
        command('train', cfg)
    text = str(error.value)
    assert 'CUDA out of memory.' in text
    assert 'iteration 1, with 4 images of up to 64 x 64 pixels' in text
    assert 'model.backbone.with_cp=True' in text
    assert 'batch_size=2 optim_wrapper.accumulative_counts=4' in text
    assert 'stays 8 a process' in text
    assert 'of 32 x 32 instead of 64 x 64' in text


def test_advice_fits_the_run(command, scenes, monkeypatch):
    def fail(*args, **kwargs):
        raise torch.OutOfMemoryError('CUDA out of memory.')

    monkeypatch.setattr('mmengine.optim.OptimWrapper.backward', fail)
    cfg = tiny_config('cls', scenes, model__backbone__with_cp=True)
    cfg.train_dataloader.batch_size = 1
    with pytest.raises(torch.OutOfMemoryError) as error:
        command('train', cfg)
    text = str(error.value)
    assert 'with_cp' not in text
    assert 'train_dataloader.batch_size=' not in text


def test_other_errors_are_left_alone(tmp_path, fresh_runs):
    error = RuntimeError('shapes differ')
    with pytest.raises(RuntimeError, match='^shapes differ$'):
        toy_runner(tmp_path, custom_hooks=[Fails(error)]).train()


@pytest.mark.skipif(
    not os.path.exists('/dev/full'), reason='needs a device that is full'
)
def test_full_device(tmp_path, fresh_runs):
    """The kernel itself says that nothing more fits."""
    toy_runner(tmp_path, epochs=1).train()
    fresh_runs()
    runner = toy_runner(tmp_path, epochs=2, resume=True)
    owner = f'{socket.gethostname()}-{os.getpid()}'
    os.symlink('/dev/full', tmp_path / f'epoch_2.pth.{owner}.unfinished')
    with pytest.raises(OSError) as error:
        runner.train()
    text = str(error.value)
    assert error.value.errno == errno.ENOSPC
    assert 'No space left on device' in text
    assert 'epoch_2.pth cannot be written' in text
    assert 'MiB are free there' in text
    assert '--resume' in text
    path = newest_checkpoint(str(tmp_path))
    assert path == str(tmp_path / 'epoch_1.pth')
    assert 'optimizer' in safe_load(path)


def test_full_file_system(tmp_path):
    folder = tmp_path / 'small'
    folder.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip('mounting needs rights')
    try:
        path = folder / 'epoch_1.pth'
        AtomicBackend().put(bytes(600_000), str(path))
        with pytest.raises(OSError, match='do not fit, 0.4 MiB are free'):
            AtomicBackend().put(bytes(600_000), str(folder / 'epoch_2.pth'))
        assert os.listdir(folder) == ['epoch_1.pth']
        assert path.stat().st_size == 600_000
    finally:
        subprocess.run(['umount', str(folder)], check=True)
