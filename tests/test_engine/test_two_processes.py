"""Two processes on the CPU that train together, with gloo."""

import copy
import json
import re
import signal
import time

import pytest
import torch

from mmvit.checkpoints import safe_load
from tests.support.helpers import losses, read_log, weights_of
from tests.support.processes import end, start_two
from tests.support.recorder import record
from tests.support.tiny import LAST, METRIC, tiny_config, write_config

pytestmark = pytest.mark.slow


@pytest.fixture
def run_two(tmp_path, plain_dumps):
    """Run a tool in a folder of tmp_path: (tool, config, folder, *arguments).

    Returns how both processes have ended, and what they have printed.
    """

    def run(tool, cfg, folder, *args):
        config = write_config(cfg, tmp_path / f'{folder}.py')
        args = [config, *args, '--work-dir', tmp_path / folder]
        log = tmp_path / f'{folder}.txt'
        codes = end(start_two(tool, *args, log=log))
        texts = [(tmp_path / f'{rank}-{folder}.txt') for rank in (0, 1)]
        return codes, '\n'.join(path.read_text() for path in texts)

    return run


@pytest.mark.parametrize('task', ['det', 'ins', 'seg'])
def test_each_task_trains(scenes, run_two, tmp_path, task):
    cfg = tiny_config(task, scenes, train_cfg__max_iters=2)
    cfg.train_dataloader.batch_size = 2
    cfg.train_dataloader.num_workers = 1
    if task == 'seg':
        # As in mmseg's base: reverted where there is no GPU
        assert cfg.model.decode_head.norm_cfg.type == 'SyncBN'
    codes, text = run_two(
        'train', cfg, 'two', '--cfg-options', 'randomness.seed=3'
    )
    assert codes == [0, 0], text
    work_dir = tmp_path / 'two'
    assert len(losses(work_dir)) == 2
    assert METRIC[task] in read_log(work_dir)[-1]
    weights = weights_of(work_dir / 'iter_2.pth')
    assert all(value.isfinite().all() for value in weights.values())
    assert not any(key.startswith('module.') for key in weights)


def test_two_processes_learn_as_one(scenes, command, run_two, tmp_path):
    def config(batch_size, name):
        cfg = tiny_config('cls', scenes, train_cfg__max_epochs=3)
        cfg.train_dataloader.batch_size = batch_size
        # Another optimizer would hide a gradient of the wrong size.
        cfg.optim_wrapper.optimizer = dict(type='SGD', lr=0.1, momentum=0.9)
        return record(cfg, tmp_path / f'{name}.json')

    codes, text = run_two('train', config(2, 'two'), 'two')
    assert codes == [0, 0], text
    command('train', config(4, 'one'), '--work-dir', tmp_path / 'one')

    one, two = (
        json.loads((tmp_path / f'{name}.json').read_text())
        for name in ('one', 'two')
    )
    assert len(one) == len(two) == 6
    assert two == pytest.approx(one, abs=1e-3)
    assert max(one) - min(one) > 1e-2, 'it learns something'
    expected = weights_of(tmp_path / 'one/epoch_3.pth')
    weights = weights_of(tmp_path / 'two/epoch_3.pth')
    assert list(weights) == list(expected)
    for key, value in weights.items():
        torch.testing.assert_close(value, expected[key], rtol=0, atol=1e-3)


def test_two_processes_test_as_one(scenes, command, run_two, tmp_path):
    cfg = tiny_config('seg', scenes)
    one = command('train', cfg)
    expected = read_log(one)[-1][METRIC['seg']]
    out = tmp_path / 'out.pkl'
    codes, text = run_two('test', cfg, 'two', one / LAST['seg'], '--out', out)
    assert codes == [0, 0], text
    (path,) = (tmp_path / 'two').glob('2*/2*.json')
    assert json.loads(path.read_text())['mIoU'] == pytest.approx(expected)
    assert out.is_file()


def test_a_killed_process_ends_the_other(scenes, run_two, tmp_path):
    cfg = record(tiny_config('cls', scenes), tmp_path / 'losses.json')
    killed = tmp_path / 'killed'
    cfg.custom_hooks.append(
        dict(type='FailOnOneRank', path=str(killed), kill=True)
    )
    codes, text = run_two('train', cfg, 'two')
    assert codes == [1, -signal.SIGKILL], text
    assert not (tmp_path / 'two/epoch_1.pth').exists()
    assert time.time() - killed.stat().st_mtime < 60


def test_signal_stops_all_processes_and_resume_goes_on(
    scenes, run_two, tmp_path
):
    cfg = tiny_config('cls', scenes, train_cfg__max_epochs=6)
    cfg.train_dataloader.batch_size = 2
    cfg.train_cfg.val_interval = 100
    whole = record(copy.deepcopy(cfg), tmp_path / 'whole.json')
    codes, text = run_two('train', whole, 'whole')
    assert codes == [0, 0], text
    cfg = record(cfg, tmp_path / 'losses.json')
    stopped = copy.deepcopy(cfg)
    stopped.custom_hooks.append(dict(type='SignalOnOneRank', at=7))
    codes, text = run_two('train', stopped, 'two')
    assert codes == [75, 75], text
    # They ask each other every 10 iterations.
    content = safe_load(str(tmp_path / 'two/interrupted.pth'))
    assert content['meta']['iter'] == 10
    assert len(content['meta']['run']['random_states']) == 2
    codes, text = run_two('train', cfg, 'two', '--resume', 'auto')
    assert codes == [0, 0], text
    expected = weights_of(tmp_path / 'whole/epoch_6.pth')
    for key, value in weights_of(tmp_path / 'two/epoch_6.pth').items():
        assert torch.equal(value, expected[key]), key


def test_a_model_that_is_shared_out_learns_and_resumes(
    scenes, command, run_two, tmp_path
):
    def config(batch_size):
        cfg = tiny_config('cls', scenes, train_cfg__max_epochs=6)
        cfg.train_dataloader.batch_size = batch_size
        cfg.train_cfg.val_interval = 100
        cfg.default_hooks.checkpoint.max_keep_ckpts = -1
        cfg.optim_wrapper = dict(
            optimizer=dict(type='SGD', lr=0.1, momentum=0.9),
            clip_grad=dict(max_norm=1.0),
            # The checkpoint that is resumed lies between two updates.
            accumulative_counts=3,
        )
        return record(cfg, tmp_path / f'{batch_size}.json')

    cfg = config(2)
    cfg.model_wrapper_cfg = dict(type='MMFullyShardedDataParallel')
    for folder, options in (
        ('two', ()),
        ('three', ('--resume', str(tmp_path / 'two/epoch_2.pth'))),
    ):
        codes, text = run_two('train', cfg, folder, *options)
        assert codes == [0, 0], text
    logs = [path.read_text() for path in tmp_path.glob('t*/*/*.log')]
    assert len(logs) == 2
    for log in logs:
        total, here = re.search(
            r'(\d+) parameters are shared out over 2 processes, (\d+)', log
        ).groups()
        assert int(total) / 2 <= int(here) < int(total) * 0.7

    command('train', config(4), '--work-dir', tmp_path / 'one')
    one, two = (
        safe_load(str(tmp_path / folder / 'epoch_6.pth'))
        for folder in ('one', 'two')
    )
    assert list(two['state_dict']) == list(one['state_dict'])
    for key, value in one['state_dict'].items():
        torch.testing.assert_close(
            two['state_dict'][key], value, rtol=0, atol=1e-3
        )
    resumed = weights_of(tmp_path / 'three/epoch_6.pth')
    for key, value in two['state_dict'].items():
        assert torch.equal(resumed[key], value), key
    one, two = one['optimizer'], two['optimizer']
    assert [group['params'] for group in two['param_groups']] == [
        group['params'] for group in one['param_groups']
    ]
    for key, state in one['state'].items():
        torch.testing.assert_close(
            two['state'][key]['momentum_buffer'],
            state['momentum_buffer'],
            rtol=0,
            atol=1e-3,
        )
