"""tools/train.py --resume, and what a kill leaves to resume from."""

import copy

import pytest
import torch

from tests import fault_campaign
from tests.support.helpers import losses, read_log, weights_of
from tests.support.processes import end, start
from tests.support.tiny import LAST, METRIC, tiny_config


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
def test_fault_campaign(tmp_path):
    args = ['--kills', '3', '--tasks', 'seg', '--processes', '2']
    log = tmp_path / 'log.txt'
    folder = ['--folder', str(tmp_path / 'runs')]
    codes = end([start(fault_campaign.main, [*args, *folder], log=log)])
    text = log.read_text()
    assert codes == [0] and 'lost: 0' in text, text
    (total,) = (line for line in text.splitlines() if line.startswith('all'))
    _, trainings, _, kills, resumed, equal = total.split()
    assert trainings == resumed == equal
    assert int(kills) >= 3
