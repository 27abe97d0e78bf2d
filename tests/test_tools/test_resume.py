"""tools/train.py --resume, and what a kill leaves to resume from."""

import copy
import signal
import subprocess
import sys
import time

import pytest
import torch

from tests.support.helpers import (
    ROOT,
    clean_environment,
    losses,
    read_log,
    run_python,
    weights_of,
)
from tests.support.tiny import LAST, METRIC, tiny_config, write_config


def longer(cfg, times=2):
    """The config with as many iterations more."""
    cfg = copy.deepcopy(cfg)
    key = 'max_epochs' if 'max_epochs' in cfg.train_cfg else 'max_iters'
    cfg.train_cfg[key] *= times
    return cfg


def test_resume_without_a_checkpoint(scenes, command):
    with pytest.raises(FileNotFoundError, match='nothing to resume from'):
        command('train', tiny_config('cls', scenes), '--resume')


def test_resume_auto_starts_anew(scenes, command, untrained):
    cfg, weights = untrained('cls')
    cfg.load_from = str(weights)
    cfg.optim_wrapper.optimizer.update(lr=1e-30, weight_decay=0.0)
    work_dir = command('train', cfg, '--resume', 'auto')
    assert len(losses(work_dir)) == 4
    # It starts from what the config loads, not from noise.
    before, after = weights_of(weights), weights_of(work_dir / LAST['cls'])
    for key, value in before.items():
        torch.testing.assert_close(after[key], value)


def test_resume_of_a_missing_file(scenes, command, capsys):
    with pytest.raises(SystemExit):
        command('train', tiny_config('cls', scenes), '--resume', 'gone.pth')
    assert 'no checkpoint at gone.pth' in capsys.readouterr().err


@pytest.mark.parametrize('how', ['newest', 'auto', 'file', 'cut off'])
def test_resume_from(scenes, command, tmp_path, how):
    cfg = tiny_config('cls', scenes)
    first = command('train', cfg)
    args = dict(auto=['auto'], file=[first / 'epoch_1.pth']).get(how, [])
    work_dir = first
    if how == 'file':
        work_dir = tmp_path / 'other'
    elif how == 'cut off':
        last = first / 'epoch_2.pth'
        last.write_bytes(last.read_bytes()[:1000])
    done = len(read_log(first))
    command('train', longer(cfg), '--work-dir', work_dir, '--resume', *args)
    begin = 1 if how in ('file', 'cut off') else 2
    lines = read_log(work_dir)[done if work_dir == first else 0 :]
    assert [line['epoch'] for line in lines if 'loss' in line] == [
        epoch for epoch in range(begin + 1, 5) for _ in range(2)
    ]


@pytest.mark.parametrize('task', ['cls', 'det', 'seg'])
def test_resume_is_exact(scenes, command, tmp_path, task):
    cfg = tiny_config(task, scenes)
    cfg.default_hooks.checkpoint.update(
        save_best=METRIC[task], rule='greater', max_keep_ckpts=1
    )
    if 'max_iters' in cfg.train_cfg:
        cfg.train_cfg.max_iters = 2
    else:
        cfg.train_cfg.max_epochs = 1
    whole = command('train', longer(cfg), '--work-dir', tmp_path / 'whole')
    command('train', cfg)
    parts = command('train', longer(cfg), '--resume')
    assert losses(parts) == losses(whole)
    expected = weights_of(whole / LAST[task])
    for key, value in weights_of(parts / LAST[task]).items():
        torch.testing.assert_close(value, expected[key], rtol=0, atol=0)


@pytest.mark.slow
def test_killed_training_is_resumed(scenes, tmp_path):
    cfg = tiny_config('seg', scenes, train_cfg__max_iters=2000)
    config = write_config(cfg, tmp_path / 'config.py')
    work_dir = tmp_path / 'work'
    train = [
        sys.executable,
        str(ROOT / 'tools/train.py'),
        config,
        '--work-dir',
        str(work_dir),
        '--cfg-options',
    ]
    env = clean_environment()
    process = subprocess.Popen(
        [*train, 'default_hooks.checkpoint.max_keep_ckpts=1'],
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 400
    while not (work_dir / 'last_checkpoint').is_file():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = losses(work_dir)
    assert 2 <= len(done) < 2000
    last = int((work_dir / 'last_checkpoint').read_text()[5:-4])
    subprocess.run(
        [*train, f'train_cfg.max_iters={last + 2}', '--resume'],
        env=env,
        check=True,
        timeout=400,
        capture_output=True,
    )
    assert (work_dir / f'iter_{last + 2}.pth').is_file()


@pytest.mark.slow
def test_fault_campaign(tmp_path):
    done = run_python(
        *('-m', 'tests.fault_campaign', '--folder', str(tmp_path)),
        *('--kills', '3', '--tasks', 'seg', '--processes', '2'),
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert 'lost: 0' in done.stdout
    (total,) = (
        line for line in done.stdout.splitlines() if line.startswith('all')
    )
    _, trainings, _, kills, resumed, equal = total.split()
    assert trainings == resumed == equal
    assert int(kills) >= 3
