"""Numbers that are not finite: stop, or skip, and say where they began."""

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch.nn.utils import clip_grad, clip_grad_norm_

from mmvit.engine import FiniteHook
from mmvit.engine.guards import finite
from tests.support.helpers import weights_of
from tests.support.small_runs import NoisyScenes, make_runner, noisy_loader
from tests.support.tiny import TASKS, tiny_config

PLAIN = dict(custom_hooks=[], param_scheduler=None)


class BadScenes(NoisyScenes):
    """Some images are not a number."""

    def __init__(self, *bad):
        self.bad = bad

    def __getitem__(self, index):
        image, label = super().__getitem__(index)
        if index in self.bad:
            image[0, 0, 0] = torch.nan
        return image, label


def train(work_dir, *bad, max_skipped=0, **options):
    loader = noisy_loader(
        True,
        dataset=BadScenes(*bad),
        sampler=dict(type='DefaultSampler', shuffle=False),
    )
    hooks = dict(
        finite=dict(type='mmvit.FiniteHook', max_skipped=max_skipped),
        checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=100),
    )
    runner = make_runner(
        work_dir,
        by_epoch=False,
        **{
            **PLAIN,
            'train_dataloader': loader,
            'default_hooks': hooks,
            'train_cfg': dict(by_epoch=False, max_iters=8),
            **options,
        },
    )
    runner.train()
    return runner


@pytest.fixture
def broken(tmp_path, fresh_runs):
    """A runner whose second image is not a number, after it has failed."""
    runner = make_runner(
        tmp_path,
        by_epoch=False,
        **PLAIN,
        train_dataloader=noisy_loader(True, dataset=BadScenes(1)),
        train_cfg=dict(by_epoch=False, max_iters=6),
    )
    with pytest.raises(FloatingPointError):
        runner.train()
    return runner


def assert_restored(runner):
    wrapper = runner.optim_wrapper
    assert 'parse_losses' not in vars(runner.model)
    assert not {'backward', 'step'} & set(vars(wrapper))
    assert vars(wrapper).get('clip_func', clip_grad_norm_) is clip_grad_norm_


def test_all_is_restored_after_an_error(broken):
    assert_restored(broken)


def test_second_training_is_watched_once(broken, monkeypatch):
    checks = []
    check = FiniteHook._find_bad
    monkeypatch.setattr(
        FiniteHook,
        '_find_bad',
        lambda hook: checks.append(1) or check(hook),
    )
    broken.train_dataloader.dataset.bad = ()
    left = 6 - broken.iter
    assert left > 0
    broken.train()
    assert len(checks) == left
    assert_restored(broken)


def test_another_runner_is_watched_once(tmp_path, fresh_runs):
    """mmengine's does not say that a training has failed."""
    hook = FiniteHook()
    runner = make_runner(
        tmp_path,
        by_epoch=False,
        runner_type=Runner,
        resume=False,
        **dict(PLAIN, custom_hooks=[hook]),
        train_dataloader=dict(
            noisy_loader(True, dataset=BadScenes(1)), persistent_workers=False
        ),
    )
    with pytest.raises(FloatingPointError):
        runner.train()
    assert 'step' in vars(runner.optim_wrapper)
    for _ in range(2):
        hook.before_train(runner)
    hook.after_train(runner)
    assert_restored(runner)


def test_images(tmp_path, fresh_runs):
    with pytest.raises(FloatingPointError) as error:
        train(tmp_path, 4)
    text = str(error.value)
    assert 'iteration 3: the loss is not finite' in text
    assert 'the images themselves are not finite' in text
    assert 'Loss parts: loss nan' in text
    assert 'Learning rate: 0.001' in text


@pytest.mark.parametrize('norm_type', [2.0, 1.0, float('inf')])
def test_clipping_is_that_of_torch(tmp_path, fresh_runs, norm_type):
    runs = []
    for name, hook in (('on', dict(type='mmvit.FiniteHook')), ('off', None)):
        wrapper = dict(
            # An optimizer that shows the gradients' length, as AdamW does not
            optimizer=dict(type='SGD', lr=0.1),
            clip_grad=dict(max_norm=0.01, norm_type=norm_type),
        )
        runner = train(
            tmp_path / name,
            optim_wrapper=wrapper,
            default_hooks=dict(finite=hook),
        )
        runs.append(runner.model.state_dict())
    torch.testing.assert_close(*runs, rtol=0, atol=0)


def test_the_norm_is_computed_once(tmp_path, fresh_runs, monkeypatch):
    """By the check, and clipping takes it."""
    norms = []
    get_total_norm = finite.get_total_norm
    monkeypatch.setattr(
        finite,
        'get_total_norm',
        lambda *args: norms.append(get_total_norm(*args)) or norms[-1],
    )
    monkeypatch.setattr(clip_grad, '_get_total_norm', None)
    wrapper = dict(
        optimizer=dict(type='SGD', lr=0.1), clip_grad=dict(max_norm=0.01)
    )
    runner = train(tmp_path, optim_wrapper=wrapper)
    logged = runner.message_hub.get_scalar('train/grad_norm').data[0]
    assert logged.tolist() == [float(norm) for norm in norms]


class Poison(Hook):
    """Makes a weight, an output or a gradient infinite."""

    def __init__(self, what):
        self.what = what

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if batch_idx != 2:
            return
        head = runner.model.head
        if self.what == 'weight':
            head.weight.data[0, 0] = torch.inf
        elif self.what == 'output':
            block = runner.model.backbone.stages[1].blocks[0].mlp
            block.register_forward_hook(lambda *args: args[2] * torch.inf)
        else:
            head.weight.register_hook(lambda grad: grad * torch.nan)


@pytest.mark.parametrize(
    ('what', 'place'),
    [
        ('weight', 'these weights are not finite: head.weight'),
        (
            'output',
            'the first output that is not finite is that of '
            'backbone.stages.1.blocks.0.mlp',
        ),
        ('gradient', 'the gradients are not, of: head.weight'),
    ],
)
def test_first_place(tmp_path, fresh_runs, what, place):
    with pytest.raises(FloatingPointError) as error:
        train(tmp_path, custom_hooks=[Poison(what)])
    text = str(error.value)
    assert 'iteration 3' in text
    assert place in text


def test_skipped(tmp_path, fresh_runs):
    runner = train(tmp_path, 4, 6, max_skipped=2)
    (hook,) = (h for h in runner.hooks if type(h).__name__ == 'FiniteHook')
    # Two batches in a row, in each of two epochs
    assert hook.skipped == 4
    weights = weights_of(tmp_path / 'iter_8.pth')
    assert all(value.isfinite().all() for value in weights.values())


def test_skipped_batch_leaves_no_trace(tmp_path, fresh_runs):
    """Neither in the weights nor in the statistics of the norms."""
    runner = train(
        tmp_path, 2, max_skipped=1, train_cfg=dict(by_epoch=False, max_iters=2)
    )
    first = {k: v.clone() for k, v in runner.model.state_dict().items()}
    fresh_runs()
    runner = train(
        tmp_path / 'one', train_cfg=dict(by_epoch=False, max_iters=1)
    )
    for key, value in runner.model.state_dict().items():
        if 'num_batches' not in key:
            assert torch.equal(value, first[key]), key


def test_too_many_in_a_row(tmp_path, fresh_runs):
    with pytest.raises(FloatingPointError) as error:
        train(tmp_path, 4, 6, max_skipped=1)
    text = str(error.value)
    assert 'iteration 4' in text
    assert 'after 1 skipped ones in a row' in text


def test_gradients_that_are_large_are_finite(tmp_path, fresh_runs):
    class Huge(Hook):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            runner.model.head.weight.register_hook(lambda grad: grad + 1e30)

    # Their norm overflows.
    runner = train(tmp_path, custom_hooks=[Huge()])
    assert runner.iter == 8


class Scaled(OptimWrapper):
    """Like mixed precision, of which the scaler halves its scale."""

    def __init__(self, dtype, **kwargs):
        super().__init__(**kwargs)
        self.cast_dtype = dtype
        self.loss_scaler = self
        self.scale = 4.0

    def step(self, **kwargs):
        # A loss scaler changes the gradients first.
        for group in self.optimizer.param_groups:
            for parameter in group['params']:
                parameter.grad /= self.scale
        super().step(**kwargs)
        self.scale /= 2

    def get_scale(self):
        return self.scale


@pytest.mark.parametrize(
    ('dtype', 'what'),
    [
        (torch.float16, 'overflow with every loss scale down to 1'),
        (torch.bfloat16, 'the loss or a gradient is not finite'),
    ],
)
def test_mixed_precision(tmp_path, fresh_runs, dtype, what):
    wrapper = dict(
        type=Scaled, dtype=dtype, optimizer=dict(type='SGD', lr=0.1)
    )
    poison = Poison('gradient')
    with pytest.raises(FloatingPointError) as error:
        train(tmp_path, custom_hooks=[poison], optim_wrapper=wrapper)
    text = str(error.value)
    assert what in text
    assert 'iteration 3: ' in text
    assert 'head.weight' in text


def test_scaled_gradients_are_clipped_after_the_scaling(tmp_path, fresh_runs):
    runs = []
    for name, hook in (('on', dict(type='mmvit.FiniteHook')), ('off', None)):
        wrapper = dict(
            type=Scaled,
            dtype=torch.bfloat16,
            optimizer=dict(type='SGD', lr=0.1),
            clip_grad=dict(max_norm=1e-3),
        )
        runner = train(
            tmp_path / name,
            optim_wrapper=wrapper,
            default_hooks=dict(finite=hook),
            train_cfg=dict(by_epoch=False, max_iters=1),
        )
        runs.append(runner.model.state_dict())
    torch.testing.assert_close(*runs, rtol=0, atol=0)


def test_overflow_by_a_huge_scale_is_left_to_the_scaler(tmp_path, fresh_runs):
    class Huge(Scaled):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.scale = 2.0**100

        def step(self, **kwargs):
            self.scale /= 2

    wrapper = dict(
        type=Huge, dtype=torch.bfloat16, optimizer=dict(type='SGD', lr=0.1)
    )
    runner = train(
        tmp_path, custom_hooks=[Poison('gradient')], optim_wrapper=wrapper
    )
    assert runner.optim_wrapper.scale == 2.0**92


def test_accumulation_names_the_batch_of_the_loss(tmp_path, fresh_runs):
    wrapper = dict(optimizer=dict(type='SGD', lr=0.1), accumulative_counts=4)
    with pytest.raises(FloatingPointError, match='iteration 2: the loss is'):
        train(tmp_path, 2, optim_wrapper=wrapper)


@pytest.mark.parametrize('task', TASKS)
def test_each_task_names_its_files(command, scenes, task):
    cfg = tiny_config(task, scenes)
    cfg.optim_wrapper.optimizer = dict(type='SGD', lr=1e30)
    with pytest.raises(FloatingPointError) as error:
        command('train', cfg)
    text = str(error.value)
    assert 'train_' in text.split('Files: ')[1]
    assert '.jpg' in text
    assert 'Learning rate: 1e+30' in text
    assert 'loss' in text.split('Loss parts: ')[1]
