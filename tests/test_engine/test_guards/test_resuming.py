"""A resumed run is the run that an uninterrupted one would have been."""

import json
import os
import signal
import time

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import BatchSampler, DataLoader, Subset

from mmvit.checkpoints import safe_load
from mmvit.engine.guards.checkpoints import newest_checkpoint
from tests.support import small_runs
from tests.support.small_runs import NoisyScenes, noisy_loader, same
from tests.support.toy import ToyMetric

# Whether a run's loop counts epochs
EPOCHS, ITERS = True, False
LOOPS = pytest.mark.parametrize(
    'by_epoch', [EPOCHS, ITERS], ids=['epochs', 'iterations']
)


class Break(Hook):
    """Does something to its run at an iteration."""

    priority = 'LOW'

    def __init__(self, at, action):
        self.at, self.action = at, action

    def after_train_iter(self, runner, *args, **kwargs):
        if runner.iter + 1 == self.at:
            self.action()


class StopError(Exception):
    pass


def stop():
    raise StopError


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


def validation(scores=(1.0,) * 99):
    """Arguments of a run with a validation that only draws numbers."""
    return dict(
        val_dataloader=noisy_loader(
            True,
            batch_size=4,
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
        val_cfg=dict(),
        val_evaluator=[ToyMetric(list(scores))],
    )


@pytest.fixture
def run(tmp_path, fresh_runs, no_sync):
    """Train in a folder: (name, by_epoch, at, action, **options)."""

    def train(name, by_epoch, at=None, action=stop, **options):
        fresh_runs()
        hooks = [dict(type='EMAHook')]
        if at:
            hooks.append(Break(at, action))
        runner = small_runs.make_runner(
            tmp_path / name, by_epoch, custom_hooks=hooks, **options
        )
        runner.train()
        return runner

    return train


@pytest.fixture(scope='module')
def results():
    return {}


@pytest.fixture
def whole(run, tmp_path, results):
    """Train undisturbed, once for each key: (by_epoch, key, **options)."""

    def train(by_epoch, key='', **options):
        if (by_epoch, key) not in results:
            run('whole', by_epoch, **options)
            results[by_epoch, key] = result(tmp_path / 'whole')
        return results[by_epoch, key]

    return train


def result(folder):
    return safe_load(newest_checkpoint(str(folder)))


def assert_same(first, second):
    for key in ('state_dict', 'ema_state_dict', 'optimizer'):
        assert same(first[key], second[key]), key
    assert first['meta']['iter'] == second['meta']['iter']


def loader(by_epoch, **options):
    return dict(train_dataloader=noisy_loader(by_epoch, **options))


class Pairs(BatchSampler):
    """Batches of even or of odd indices, as mmdet's are of one shape."""

    def __init__(self, sampler, batch_size):
        super().__init__(sampler, batch_size, drop_last=False)

    def __iter__(self):
        waiting = {0: [], 1: []}
        for index in self.sampler:
            group = waiting[index % 2]
            group.append(index)
            if len(group) == self.batch_size:
                yield group[:]
                group.clear()


@LOOPS
@pytest.mark.parametrize('how', ['kill', 'signal'])
def test_all_of_the_state(run, whole, tmp_path, by_epoch, how):
    if how == 'kill':
        with pytest.raises(StopError):
            run('parts', by_epoch, at=14)
        assert result(tmp_path / 'parts')['meta']['iter'] == 12
    else:
        with pytest.raises(SystemExit) as error:
            run('parts', by_epoch, at=14, action=terminate)
        assert error.value.code == 75
        assert 'SIGTERM' in str(error.value)
        # In the middle of an epoch, too
        assert result(tmp_path / 'parts')['meta']['iter'] == 14
        assert (tmp_path / 'parts/interrupted.pth').exists()
    run('parts', by_epoch)
    assert_same(result(tmp_path / 'parts'), whole(by_epoch))
    assert not (tmp_path / 'parts/interrupted.pth').exists()


@pytest.mark.parametrize('workers', [0, 2])
@LOOPS
@pytest.mark.parametrize('grouped', [False, True])
def test_place_in_the_data(run, whole, tmp_path, workers, by_epoch, grouped):
    options = dict(batch_sampler=dict(type=Pairs)) if grouped else {}
    key = f'grouped {grouped}, epochs {by_epoch}'
    expected = whole(ITERS, key, **loader(by_epoch, **options))
    with pytest.raises(StopError):
        run('parts', ITERS, at=10, **loader(by_epoch, **options))
    drawn = []
    getitem = NoisyScenes.__getitem__
    parts = loader(by_epoch, **options)
    if workers:
        parts['train_dataloader']['num_workers'] = workers
    else:

        class Watched(NoisyScenes):
            def __getitem__(self, index):
                drawn.append(index)
                return getitem(self, index)

        parts['train_dataloader']['dataset'] = Watched()
    run('parts', ITERS, **parts)
    assert expected['meta']['iter'] == small_runs.ITERS
    assert_same(result(tmp_path / 'parts'), expected)
    if not workers:
        left = small_runs.ITERS - 9
        assert len(drawn) == left * small_runs.BATCH, 'nothing is loaded twice'


def test_run_without_a_seed(run, tmp_path):
    """What is drawn for a run goes with it, and not what is drawn later."""
    options = dict(randomness=dict(seed=None))
    np.random.seed(5)
    run('whole', EPOCHS, **options)
    expected = result(tmp_path / 'whole')
    np.random.seed(5)
    with pytest.raises(StopError):
        run('parts', EPOCHS, at=14, **options)
    np.random.seed(6)
    runner = run('parts', EPOCHS, **options)
    assert runner.seed == expected['meta']['seed'] != 0
    assert_same(result(tmp_path / 'parts'), expected)
    records = (tmp_path / 'parts').glob('*/run.json')
    seeds = {json.loads(path.read_text())['seed'] for path in records}
    assert seeds == {runner.seed}


def test_another_seed(run, whole, tmp_path):
    with pytest.raises(StopError):
        run('parts', EPOCHS, at=14)
    run('parts', EPOCHS, randomness=dict(seed=3))
    assert_same(result(tmp_path / 'parts'), whole(EPOCHS))


def test_accumulated_gradients_are_kept(run, tmp_path):
    options = dict(
        optim_wrapper=dict(
            optimizer=dict(type='AdamW', lr=1e-3), accumulative_counts=4
        )
    )
    run('whole', ITERS, **options)
    with pytest.raises(StopError):
        run('parts', ITERS, at=7, **options)
    # Iteration 6, in the middle of four
    assert result(tmp_path / 'parts')['meta']['run']['gradients'][0]
    run('parts', ITERS, **options)
    assert_same(result(tmp_path / 'parts'), result(tmp_path / 'whole'))


def test_validation_leaves_the_draws_alone(run, whole, tmp_path):
    run('validated', EPOCHS, **validation())
    assert_same(result(tmp_path / 'validated'), whole(EPOCHS))


def test_missed_validation_is_made_up(run, tmp_path):
    class Fails(ToyMetric):
        def process(self, data_batch, data_samples):
            raise StopError

    options = validation()
    with pytest.raises(StopError):
        run('parts', EPOCHS, **{**options, 'val_evaluator': [Fails([])]})
    best = dict(save_best='score', rule='greater')
    scores = [3.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    checkpoint = dict(type='CheckpointHook', interval=1, **best)
    runner = run(
        'parts',
        EPOCHS,
        default_hooks=dict(checkpoint=checkpoint),
        **validation(scores),
    )
    assert not runner.val_evaluator.metrics[0].scores, 'six validations'
    assert (tmp_path / 'parts/best_score_epoch_1.pth').exists()
    # What was finished is not done again.
    run('parts', EPOCHS, **validation([]))


def test_signal_within_a_validation(run, whole, tmp_path):
    class Signals(ToyMetric):
        def process(self, data_batch, data_samples):
            super().process(data_batch, data_samples)
            terminate()

    options = validation()
    with pytest.raises(SystemExit):
        run('parts', EPOCHS, **{**options, 'val_evaluator': [Signals([])]})
    saved = result(tmp_path / 'parts')
    assert (saved['meta']['epoch'], saved['meta']['iter']) == (1, 4)
    run('parts', EPOCHS, **options)
    assert_same(result(tmp_path / 'parts'), whole(EPOCHS))


def test_signal_within_an_accumulation(run, tmp_path):
    options = dict(
        optim_wrapper=dict(
            optimizer=dict(type='AdamW', lr=1e-3), accumulative_counts=4
        )
    )
    with pytest.raises(SystemExit):
        run('parts', ITERS, at=5, action=terminate, **options)
    saved = result(tmp_path / 'parts')['meta']
    assert saved['iter'] == 5, 'it does not wait for the update'
    assert saved['run']['gradients'][0]


def test_signals_are_given_back(run):
    before = signal.getsignal(signal.SIGTERM)
    short = dict(train_cfg=dict(by_epoch=False, max_iters=2))
    run('whole', ITERS, **short)
    assert signal.getsignal(signal.SIGTERM) is before
    with pytest.raises(StopError):
        run('parts', ITERS, at=1, **short)
    assert signal.getsignal(signal.SIGTERM) is before


def test_second_interrupt_ends_at_once(run, monkeypatch):
    killed, clock = [], [0.0]

    def repeat():
        monkeypatch.setattr(signal, 'signal', lambda *args: None)
        monkeypatch.setattr(os, 'kill', lambda *args: killed.append(args))
        monkeypatch.setattr(time, 'monotonic', lambda: clock[0])
        handler = signal.getsignal(signal.SIGINT)
        # torchrun passes on what the terminal has sent to all.
        for clock[0], number in (
            (1.0, signal.SIGINT),
            (1.5, signal.SIGINT),
            (9.0, signal.SIGTERM),
        ):
            handler(number, None)
            assert not killed
        handler(signal.SIGINT, None)
        monkeypatch.undo()

    with pytest.raises(SystemExit):
        run('parts', ITERS, at=2, action=repeat)
    assert killed == [(os.getpid(), signal.SIGINT)]


@pytest.mark.parametrize(
    'optimizer',
    [dict(type='SGD', lr=0.1), dict(type='Adam', lr=1e-3)],
    ids=lambda optimizer: optimizer['type'],
)
def test_another_optimizer(run, optimizer):
    with pytest.raises(StopError):
        run('parts', ITERS, at=4)
    with pytest.raises(ValueError) as error:
        run('parts', ITERS, optim_wrapper=dict(optimizer=optimizer))
    text = str(error.value)
    assert 'was written with the optimizer AdamW' in text
    assert f'this run has {optimizer["type"]}' in text
    assert 'load_from=FILE' in text


def test_other_parameter_groups(run):
    with pytest.raises(StopError):
        run('parts', ITERS, at=4)
    wrapper = dict(
        optimizer=dict(type='AdamW', lr=1e-3),
        paramwise_cfg=dict(bias_lr_mult=2.0),
    )
    with pytest.raises(ValueError, match='other groups of parameters'):
        run('parts', ITERS, optim_wrapper=wrapper)


@pytest.fixture
def logged(monkeypatch):
    messages = []
    monkeypatch.setattr(
        'mmvit.engine.guards.resumed_config.warn', messages.append
    )
    return messages


def test_another_batch_is_reported(run, logged):
    with pytest.raises(StopError):
        run('parts', ITERS, at=4)
    options = loader(ITERS)
    options['train_dataloader']['batch_size'] = 4
    run('parts', ITERS, **options)
    (text,) = logged
    assert '1 processes x 2 images x 1 accumulated = 2' in text
    assert '1 processes x 4 images x 1 accumulated = 4' in text
    assert 'asks for 2 times the learning rate' in text
    assert 'each has 4 images instead of 2' in text


@LOOPS
def test_another_world_size_is_reported(run, logged, tmp_path, by_epoch):
    with pytest.raises(SystemExit):
        run('parts', by_epoch, at=7, action=terminate)
    path = tmp_path / 'parts/interrupted.pth'
    content = safe_load(str(path))
    content['meta']['run'].update(world_size=2, batches=1)
    torch.save(content, path)
    seen = []

    class Watched(NoisyScenes):
        def __getitem__(self, index):
            seen.append(index)
            return super().__getitem__(index)

    options = loader(EPOCHS)
    options['train_dataloader']['dataset'] = Watched()
    run('parts', by_epoch, **options)
    (text,) = logged
    assert 'by 2 processes x 2 images' in text
    assert 'Dropout and drop path draw other numbers' in text
    # A batch of 2 x 2 images in epoch 1; or 7 of them, 28 in passes of 8
    epoch = 1 if by_epoch else 3
    sampler = DefaultSampler(Watched(), shuffle=True, seed=0)
    sampler.set_epoch(epoch)
    assert seen[:4] == list(sampler)[4:]


def test_another_number_of_images_is_reported(run, logged):
    with pytest.raises(StopError):
        run('parts', EPOCHS, at=6)
    options = loader(EPOCHS)
    options['train_dataloader']['dataset'] = Subset(NoisyScenes(), range(6))
    run('parts', EPOCHS, **options)
    (text,) = logged
    assert 'was written with 8 images' in text
    assert 'this run has 6 images' in text
    assert 'The data are others' in text


def test_checkpoint_of_another_runner(run):
    short = dict(train_cfg=dict(by_epoch=False, max_iters=6))
    run('parts', ITERS, runner_type=Runner, resume=False, **short)
    assert run('parts', ITERS).iter == small_runs.ITERS


def test_loader_of_the_user(run, tmp_path):
    """A loader that was built elsewhere has no place to go on from."""

    def own():
        data = NoisyScenes()
        return dict(
            train_dataloader=DataLoader(
                data,
                batch_size=2,
                sampler=DefaultSampler(data, seed=0),
                collate_fn=list,
            )
        )

    with pytest.raises(SystemExit):
        run('parts', EPOCHS, at=6, action=terminate, **own())
    runner = run('parts', EPOCHS, **own())
    assert runner.epoch == small_runs.EPOCHS


def test_a_metric_that_no_checkpoint_can_hold(run, monkeypatch, tmp_path):
    kept = dict(text='good', numbers=np.arange(3), nested=dict(a=[None]))
    odd = dict(names=np.array(['a']), thing=object(), call=lambda: None)
    told = []
    monkeypatch.setattr('mmvit.engine.guards.resuming.warn', told.append)

    class Odd(ToyMetric):
        def compute_metrics(self, results):
            return {**super().compute_metrics(results), **kept, **odd}

    options = validation()
    options['val_evaluator'] = [Odd([1.0] * 99)]
    run('a', False, **options)
    found = result(tmp_path / 'a')['message_hub']
    found = {**found['runtime_info'], **found['log_scalars']}
    names = {key.rpartition('/')[2] for key in found}
    assert names >= {*kept} and not names & {*odd}
    text = 'is of a type that a checkpoint cannot hold'
    assert {f'val/{key} {text}' for key in odd} <= {
        message.partition(' (')[0] for message in told
    }
