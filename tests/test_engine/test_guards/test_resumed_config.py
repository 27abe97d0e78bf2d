"""What a resumed run is told if its config is not its checkpoint's."""

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook

from mmvit.checkpoints import safe_load
from tests.support.toy import toy_runner

EMA = [dict(type='EMAHook', momentum=0.5)]


class Rates(Hook):
    """Records the learning rate of each epoch."""

    priority = 'VERY_HIGH'

    def __init__(self):
        self.rates = []

    def after_train_epoch(self, runner):
        self.rates += runner.optim_wrapper.get_lr()['lr']


@pytest.fixture
def train(tmp_path, fresh_runs, no_sync):
    """Train: (name, epochs, lr, **options); returns runner and rates."""

    def run(name, epochs, lr=0.1, hooks=(), **options):
        fresh_runs()
        rates = Rates()
        runner = toy_runner(
            tmp_path / name,
            epochs,
            custom_hooks=[*hooks, rates],
            resume='auto',
            **options,
        )
        runner.optim_wrapper['optimizer']['lr'] = lr
        runner.train()
        return runner, rates.rates

    return run


@pytest.fixture
def warned(monkeypatch):
    """Messages of warnings that the run has logged."""
    texts = []
    monkeypatch.setattr(
        'mmengine.logging.MMLogger.warning',
        lambda self, text, *args: texts.append(str(text)),
    )
    return texts


def cosine(epochs, **options):
    return dict(
        param_scheduler=[
            dict(type='LinearLR', start_factor=0.5, by_epoch=True, end=2),
            dict(
                type='CosineAnnealingLR',
                T_max=epochs,
                by_epoch=True,
                **options,
            ),
        ]
    )


def test_longer_schedule_is_followed(train, warned):
    _, whole = train('whole', 6, **cosine(6))
    _, first = train('parts', 2, **cosine(2))
    warned.clear()
    _, rest = train('parts', 6, **cosine(6))
    assert rest == pytest.approx(whole[2:])
    assert len(set(rest)) == 4
    (text,) = [t for t in warned if 'differs' in t]
    assert 'param_scheduler[1].T_max 6 instead of 2' in text
    assert 'epoch_2.pth' in text


def test_same_schedule_is_not_touched(train, warned):
    _, whole = train('whole', 4, **cosine(6, end=6))
    train('parts', 2, **cosine(6, end=6))
    warned.clear()
    _, rest = train('parts', 4, **cosine(6, end=6))
    assert rest == whole[2:], 'to the last bit'
    assert not [text for text in warned if 'differs' in text]


@pytest.mark.parametrize('scheduled', [False, True])
def test_new_learning_rate_is_used(train, warned, scheduled):
    options = cosine(4) if scheduled else {}
    _, whole = train('whole', 4, 0.02, **options)
    train('parts', 2, 0.1, **options)
    _, rest = train('parts', 4, 0.02, **options)
    assert rest == pytest.approx(whole[2:])
    assert [t for t in warned if 'optimizer.lr 0.02 instead of 0.1' in t]


def test_plateau_schedule_goes_on(train, warned):
    def plateau(factor):
        return dict(
            param_scheduler=dict(
                type='ReduceOnPlateauLR',
                monitor='score',
                patience=0,
                factor=factor,
            ),
            scores=[1.0] * 9,
        )

    train('parts', 4, **plateau(0.5))
    _, rates = train('parts', 6, 0.7, **plateau(0.1))
    # Of the first four validations the second and the third lower it; the
    # fourth is at the end of the schedule.
    assert rates == pytest.approx([0.025, 0.0025])
    (text,) = [t for t in warned if 'cannot be repeated' in t]
    assert 'factor 0.1 instead of 0.5' in text


def test_averages_are_switched_off(train, warned, tmp_path):
    _, whole = train('whole', 2)
    expected = safe_load(str(tmp_path / 'whole/epoch_2.pth'))['state_dict']
    train('parts', 2, hooks=EMA)
    path = tmp_path / 'parts/epoch_2.pth'
    averaged = safe_load(str(path))['state_dict']
    assert not torch.equal(averaged['linear.bias'], expected['linear.bias'])
    runner, _ = train('parts', 2)
    for name, value in runner.model.state_dict().items():
        assert torch.equal(value, expected[name])
    assert [t for t in warned if 'was written with EMAHook' in t]


def test_averages_are_switched_on(train, warned):
    train('parts', 1)
    train('parts', 2, hooks=EMA)
    assert [t for t in warned if 'was written without EMAHook' in t]


def test_best_checkpoint_is_refused(train, tmp_path, fresh_runs):
    best = dict(save_best='score', rule='greater')
    train('parts', 1, scores=[1.0], checkpoint=best)
    fresh_runs()
    path = tmp_path / 'parts/best_score_epoch_1.pth'
    runner = toy_runner(tmp_path / 'other', resume=True, load_from=str(path))
    with pytest.raises(ValueError) as error:
        runner.train()
    text = str(error.value)
    assert text.startswith(f'{path} has no optimizer')
    assert 'load_from=FILE' in text


def test_weights_alone_are_refused(tmp_path, fresh_runs):
    path = tmp_path / 'weights.pth'
    torch.save(dict(state_dict={}), path)
    runner = toy_runner(tmp_path / 'run', resume=True, load_from=str(path))
    with pytest.raises(ValueError, match='has no meta, no message_hub'):
        runner.train()


def test_nothing_left_to_train(train, warned):
    config = dict(cfg=Config(dict(note='one', work_dir='a')))
    train('parts', 2, **config)
    train('parts', 2, cfg=Config(dict(note='one', work_dir='b')))
    assert [t for t in warned if '2 of 2 epochs: nothing is left' in t]
    with pytest.raises(ValueError) as error:
        train('parts', 2, cfg=Config(dict(note='two')))
    assert "note = 'two'" in str(error.value)
    assert 'choose another --work-dir' in str(error.value)


def test_text_of_a_config_is_not_executed(train, tmp_path, fresh_runs):
    train('parts', 1)
    path, victim = tmp_path / 'parts/epoch_1.pth', tmp_path / 'victim'
    content = safe_load(str(path))
    content['meta']['config'] = f'open({str(victim)!r}, "w")'
    torch.save(content, path)
    runner, _ = train('parts', 2)
    assert runner.epoch == 2
    assert not victim.exists()
