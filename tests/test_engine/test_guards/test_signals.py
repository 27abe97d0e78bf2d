"""Signals to all processes of a job."""

import multiprocessing
import signal
import subprocess
import time
from types import SimpleNamespace

import pytest
from torch.utils.data import DataLoader

from mmvit.engine.guards import signals
from mmvit.engine.guards.signals import StopOnSignalHook, obey_parent_only
from tests.support.helpers import run_python
from tests.support.small_runs import noisy_loader
from tests.support.tiny import ROOT
from tests.support.toy import toy_runner


def load_data(ready):
    obey_parent_only(lambda worker_id: ready.set(), 3)
    time.sleep(60)


def test_process_that_loads_outlives_a_signal():
    context = multiprocessing.get_context('fork')
    ready = context.Event()
    process = context.Process(target=load_data, args=(ready,))
    process.start()
    assert ready.wait(30)
    for name in ('-TERM', '-INT', '-TERM'):
        subprocess.run(['kill', name, str(process.pid)], check=True)
    process.join(0.5)
    assert process.is_alive(), 'others do not end it'
    process.terminate()
    process.join(30)
    assert process.exitcode == 0, 'its parent does'


def test_loaders_are_initialized_so(tmp_path, fresh_runs):
    runner = toy_runner(tmp_path)
    loader = runner.build_dataloader(noisy_loader(True), seed=0)
    assert loader.worker_init_fn.func is obey_parent_only
    assert loader.worker_init_fn.args[0] is not None, "mmengine's"


def test_loaders_are_started_with_postponed_signals(
    tmp_path, monkeypatch, fresh_runs
):
    def postponed(*_):
        return signal.pthread_sigmask(signal.SIG_BLOCK, ())

    monkeypatch.setattr(DataLoader, '_get_iterator', postponed)
    runner = toy_runner(tmp_path)
    loader = runner.build_dataloader(noisy_loader(True), seed=0)
    assert loader._get_iterator() >= {signal.SIGTERM, signal.SIGINT}
    assert signal.SIGTERM not in postponed()


def test_a_signal_before_the_training(tmp_path):
    """What tools/train.py imports first sends it here."""
    text = 'import os, signal; os.kill(os.getpid(), signal.SIGTERM)'
    (tmp_path / 'mmengine.py').write_text(text)
    config = next((ROOT / 'configs/quickstart').glob('*.py'))
    tool, place = str(ROOT / 'tools/train.py'), f'{tmp_path}:{ROOT}'
    done = run_python(tool, str(config), PYTHONPATH=place)
    assert done.returncode == signals.EXIT_CODE


def test_handlers_are_installed_when_all_processes_are_ready(monkeypatch):
    before, hook = signal.getsignal(signal.SIGTERM), StopOnSignalHook()
    seen = []
    monkeypatch.setattr(
        signals, 'barrier', lambda: seen.append(signal.getsignal(15))
    )
    hook.before_train(None)
    assert seen == [before]
    assert signal.getsignal(signal.SIGTERM) == hook._receive
    hook.after_run(None)
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.fixture
def two_processes(monkeypatch):
    """Make the hook of one of two processes: (shares, interval).

    It comes with its runner and a list of the iterations where it stopped.
    """

    def make(shares=(20, 20), interval=10):
        hook, stopped = StopOnSignalHook(interval), []
        monkeypatch.setattr(signals, 'all_reduce', lambda *_: None)
        monkeypatch.setattr(signals, 'all_gather_object', lambda _: shares)
        monkeypatch.setattr(
            hook, '_stop', lambda runner, done: stopped.append(done)
        )
        runner = SimpleNamespace(
            distributed=True, iter=0, hooks=[], val_dataloader=range(20)
        )
        hook._in_training = True
        hook.before_val(runner)
        return hook, runner, stopped

    return make


def test_processes_stop_within_the_interval(two_processes):
    hook, runner, stopped = two_processes()
    hook._receive(signal.SIGTERM, None)
    for runner.iter in range(3, 12):
        hook.after_train_iter(runner)
    assert stopped == [10]


def test_processes_stop_within_a_validation(two_processes):
    hook, runner, stopped = two_processes()
    hook._receive(signal.SIGTERM, None)
    for batch in range(3, 12):
        hook.after_val_iter(runner, batch_idx=batch)
    assert stopped == [0]


def test_processes_with_unequal_shares_finish_it(two_processes):
    hook, runner, stopped = two_processes(shares=(20, 19))
    hook._receive(signal.SIGTERM, None)
    for batch in range(20):
        hook.after_val_iter(runner, batch_idx=batch)
    assert stopped == []
    hook.after_train_iter(SimpleNamespace(distributed=True, iter=9))
    assert stopped == [10]


def test_signal_in_between_is_not_forgotten(two_processes, monkeypatch):
    hook, runner, stopped = two_processes(interval=1)

    def during(*_):
        hook._receive(signal.SIGTERM, None)

    monkeypatch.setattr(signals, 'all_reduce', during)
    hook.after_train_iter(runner)
    hook.after_train_iter(runner)
    assert stopped == [1]
