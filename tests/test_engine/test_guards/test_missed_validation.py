"""A kill between a validation and the next save changes nothing."""

import pytest
from mmengine.hooks import Hook

from mmvit.checkpoints import safe_load
from mmvit.engine.guards.checkpoints import newest_checkpoint
from tests.support.small_runs import make_runner, noisy_loader, same
from tests.support.toy import ToyMetric

# The score after each epoch: best in the third, and not better for three
SCORES = [1.0, 0.5, 3.0, 2.0, 2.0, 2.0, 9.0, 9.0]


class ScoreOfEpoch(ToyMetric):
    runner = None

    def compute_metrics(self, results):
        return dict(score=self.scores[self.runner.epoch - 1])


class StopError(Exception):
    pass


class StopAt(Hook):
    """Fails where a method is called for an epoch."""

    priority = 'LOWEST'

    def __init__(self, name, epoch):
        def fail(runner, *args, **kwargs):
            if runner.epoch == epoch:
                raise StopError

        setattr(self, name, fail)


@pytest.fixture
def run(tmp_path, fresh_runs, no_sync):
    """Train eight epochs: (name, *hooks); returns what they end with."""

    def train(name, *hooks):
        fresh_runs()
        metric = ScoreOfEpoch(SCORES)
        metric.runner = make_runner(
            tmp_path / name,
            True,
            val_dataloader=noisy_loader(
                True, sampler=dict(type='DefaultSampler', shuffle=False)
            ),
            val_cfg=dict(),
            val_evaluator=[metric],
            train_cfg=dict(by_epoch=True, max_epochs=8),
            param_scheduler=dict(
                type='ReduceOnPlateauLR',
                monitor='score',
                rule='greater',
                patience=0,
                factor=0.5,
            ),
            custom_hooks=[
                dict(type='EMAHook'),
                dict(
                    type='EarlyStoppingHook',
                    monitor='score',
                    rule='greater',
                    patience=3,
                ),
                *hooks,
            ],
            default_hooks=dict(
                checkpoint=dict(
                    type='CheckpointHook',
                    interval=1,
                    max_keep_ckpts=1,
                    save_best='score',
                    rule='greater',
                )
            ),
        )
        metric.runner.train()
        return end_of(tmp_path / name)

    return train


def end_of(folder):
    content = safe_load(newest_checkpoint(str(folder)))
    info = content['message_hub']['runtime_info']
    return dict(
        {k: content[k] for k in ('optimizer', 'param_schedulers')},
        weights=content['state_dict'],
        score=info['best_score'],
        epoch=content['meta']['epoch'],
        run=content['meta']['run'],
        files=sorted(path.name for path in folder.glob('*.pth*')),
    )


@pytest.fixture(scope='module')
def results():
    return {}


# What a validation changes is not saved yet, or saved and not used yet.
@pytest.mark.parametrize(
    ('name', 'epoch'),
    [
        *(('after_val_epoch', epoch) for epoch in (2, 3, 6)),
        *(('before_train_epoch', epoch) for epoch in (2, 3)),
    ],
)
def test_kill_after_a_validation(run, results, name, epoch):
    if not results:
        results.update(run('whole'))
        assert results['epoch'] == 6, 'stopped early'
        assert results['files'] == ['best_score_epoch_3.pth', 'epoch_6.pth']
    with pytest.raises(StopError):
        run('parts', StopAt(name, epoch))
    found = run('parts')
    for key, expected in results.items():
        assert same(found[key], expected), key


def test_what_was_validated_is_not_validated_again(run, tmp_path, monkeypatch):
    with pytest.raises(StopError):
        run('parts', StopAt('before_train_iter', 2))
    seen = []
    monkeypatch.setattr(
        ScoreOfEpoch, 'process', lambda self, *_: seen.append(self)
    )
    with pytest.raises(StopError):
        run('parts', StopAt('before_train_epoch', 2))
    assert not seen
