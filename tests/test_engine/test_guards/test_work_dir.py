"""One run at a time in a work dir."""

import errno
import fcntl
import multiprocessing
import os
import shutil

import pytest
from mmengine.hooks import Hook

from mmvit.engine.guards.work_dir import check_work_dir, sole_run
from tests.support.toy import toy_runner


def hold(work_dir, ready, end):
    with sole_run(str(work_dir)):
        ready.set()
        end.wait(60)


@pytest.fixture
def other_run(tmp_path):
    """A process that holds the folder `run`; call it to kill it."""
    context = multiprocessing.get_context('fork')
    ready, end = context.Event(), context.Event()
    args = (tmp_path / 'run', ready, end)
    process = context.Process(target=hold, args=args)
    process.start()
    assert ready.wait(60)

    def kill():
        process.kill()
        process.join()

    yield process.pid, kill
    kill()


def test_second_run_is_refused(tmp_path, other_run, fresh_runs):
    pid, kill = other_run
    unfinished = tmp_path / 'run' / f'x.pth.{os.uname().nodename}-1.unfinished'
    unfinished.write_bytes(b'')
    runner = toy_runner(tmp_path / 'run', resume='auto')
    with pytest.raises(RuntimeError) as error:
        runner.train()
    assert f'is in use: process {pid} on ' in str(error.value)
    assert 'another --work-dir' in str(error.value)
    assert unfinished.exists(), "it touches no other run's files"
    kill()
    fresh_runs()
    runner = toy_runner(tmp_path / 'run', resume='auto')
    runner.train()
    assert runner.epoch == 3


def test_system_without_locks(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOLCK, 'No locks available')

    monkeypatch.setattr(fcntl, 'lockf', fail)
    with sole_run(str(tmp_path)), sole_run(str(tmp_path)):
        pass


def test_work_dir_that_vanishes(tmp_path, fresh_runs):
    class Remove(Hook):
        def after_train_iter(self, runner, *args, **kwargs):
            shutil.rmtree(tmp_path / 'run', ignore_errors=True)

    runner = toy_runner(tmp_path / 'run', 1, custom_hooks=[Remove()])
    runner.train()
    assert [path.name for path in (tmp_path / 'run').glob('*.pth')] == [
        'epoch_1.pth'
    ]


@pytest.mark.parametrize('inner', ['', 'run'])
def test_work_dir_that_is_a_file(inner, tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(NotADirectoryError) as error:
        check_work_dir(str(tmp_path / 'file' / inner))
    assert f'{tmp_path / "file"} is a file. Choose' in str(error.value)
    check_work_dir(str(tmp_path / 'new' / inner))


def test_a_folder_in_the_place_of_a_file(tmp_path):
    (tmp_path / 'last_checkpoint').mkdir()
    with pytest.raises(IsADirectoryError, match='last_checkpoint is a folder'):
        check_work_dir(str(tmp_path))
