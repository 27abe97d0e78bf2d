"""The config of a resumed run against the one of its checkpoint.

mmengine takes optimizer and schedules from the checkpoint, whatever the
config says, and says nothing of it.
"""

import copy
import difflib
import warnings

import numpy as np
import torch
from mmengine.hooks import EMAHook
from mmengine.optim import OptimWrapperDict
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmengine.runner.checkpoint import CheckpointLoader

from mmvit.utils.log import warn
from mmvit.utils.text import some_of

from ..run_facts import UpdateBatch, learning_rates, wrappers_of

# What a training needs besides the weights
_PARTS = ('meta', 'message_hub', 'optimizer')
# What a schedule counts, in contrast to what a config sets
_PROGRESS = {
    *('last_step', '_global_step', '_last_value', 'base_values', 'verbose'),
    *('best', 'num_bad_epochs', 'cooldown_counter', 'rule_worse'),
}
_SETTINGS = {
    *('lr', 'weight_decay', 'momentum', 'betas', 'eps', 'alpha'),
    *('dampening', 'nesterov'),
}
# Lines of a config that do not change a training
_PLACES = ('work_dir', 'resume', 'load_from', 'launcher', 'experiment_name')


def check_complete(path: str, checkpoint: object) -> None:
    """Check that a checkpoint is one that a training can continue from.

    Raises:
        ValueError: If it holds weights only, as best checkpoints do.
    """
    content = checkpoint if isinstance(checkpoint, dict) else {}
    missing = [part for part in _PARTS if part not in content]
    meta = content.get('meta')
    if not missing and not {'epoch', 'iter'} <= set(meta or ()):
        missing = ['the number of iterations']
    if missing:
        raise ValueError(
            f'{path} has no {", no ".join(missing)}: no training can '
            'continue from it. Best checkpoints and published ones hold '
            'weights only, others if save_optimizer=False. Name a regular '
            'one with --resume FILE, or start a new run from the weights '
            'with load_from=FILE and without --resume'
        )


def seed_of(path: str) -> int | None:
    """Return the seed of the run that wrote a checkpoint.

    Raises:
        ValueError: If no training can continue from it.
    """
    checkpoint = CheckpointLoader.load_checkpoint(path, 'cpu')
    check_complete(path, checkpoint)
    return checkpoint['meta'].get('seed')


def optimizer_names(runner: Runner) -> list[str]:
    """Return the classes of a run's optimizers."""
    return [type(w.optimizer).__name__ for w in wrappers_of(runner)]


def _groups(state: dict) -> list[tuple[int, set]]:
    # Schedulers add keys of their own, and old files may lack new options:
    # only keys that tell optimizers apart are compared.
    keys = {'momentum', 'betas', 'alpha', 'dampening'}
    groups = state['param_groups']
    return [(len(group['params']), keys & group.keys()) for group in groups]


def check_optimizer(runner: Runner, checkpoint: dict, saved: dict) -> None:
    """Check that a checkpoint's optimizer can go on in this run.

    Raises:
        ValueError: If it is another one, or has other groups of parameters.
    """
    own = optimizer_names(runner)
    before = saved.get('optimizers', own)
    state = checkpoint.get('optimizer')
    same = before == own
    if same and state is not None and 'param_groups' in state:
        same = _groups(state) == _groups(runner.optim_wrapper.state_dict())
    if not same:
        raise ValueError(
            f'{runner._load_from} was written with the optimizer '
            f'{", ".join(before)}, and this run has {", ".join(own)}, or '
            'other groups of parameters (optim_wrapper.paramwise_cfg): its '
            'state cannot go on. Resume with the same optim_wrapper, or '
            'start a new run from the weights alone with load_from=FILE and '
            'without --resume'
        )


def drop_averages(runner: Runner, checkpoint: dict) -> None:
    """Take the trained weights where a run goes on without their averages.

    A checkpoint that was written with EMAHook has the averaged weights in
    the place of the trained ones.
    """
    averages = checkpoint.get('ema_state_dict')
    has_hook = any(isinstance(hook, EMAHook) for hook in runner.hooks)
    if has_hook and averages is None:
        runner.logger.warning(
            f'{runner._load_from} was written without EMAHook, and this run '
            'has one: the averages begin with the weights of the checkpoint'
        )
    if has_hook or averages is None:
        return
    weights = checkpoint['state_dict']
    for name, value in averages.items():
        if name.startswith('module.') and name[7:] in weights:
            weights[name[7:]] = value
    runner.logger.warning(
        f'{runner._load_from} was written with EMAHook, and this run has '
        'none: it goes on from the trained weights, and their averages are '
        'dropped. To keep them, resume with EMAHook in custom_hooks; to train '
        'on from the averages, start a new run with load_from=FILE and '
        'without --resume'
    )


def report_batch(
    path: str, old: UpdateBatch, new: UpdateBatch, images: tuple[int, int]
) -> None:
    """Log what will differ with another batch or number of images.

    The batches, and the numbers of images, are those with which the
    checkpoint at `path` was written, and those of this run.
    """
    text = (
        f'{path} was written with {images[0]} images, by {old} an update; '
        f'this run has {images[1]} images, and {new} an update.'
    )
    if images[0] != images[1]:
        text += (
            ' The data are others: their order is drawn anew, so that some '
            'images may come twice in this epoch, and some not at all.'
        )
    else:
        text += (
            ' The data continue where they were, but the run will differ '
            'from an uninterrupted one.'
        )
    if old.images != new.images:
        text += (
            ' For this batch the linear rule asks for '
            f'{new.images / old.images:g} times the learning rate '
            '(optim_wrapper.optimizer.lr, or the same batch by '
            'optim_wrapper.accumulative_counts).'
        )
    if old.images_per_iter != new.images_per_iter:
        text += (
            ' The count of iterations continues, and each has '
            f'{new.images_per_iter} images instead of {old.images_per_iter}.'
        )
    if old.world_size != new.world_size:
        text += (
            ' Dropout and drop path draw other numbers, and statistics of '
            'batch normalization are those of the first process: each '
            'process has its own.'
        )
    warn(text)


def report_finished(runner: Runner, config: str) -> None:
    """Say so if a run has nothing left to train.

    Raises:
        ValueError: If its config is not `config`, the text of the one that
            the checkpoint was written with.
    """
    loop = runner.train_loop
    by_epoch = isinstance(loop, EpochBasedTrainLoop)
    done, end, unit = (
        (runner.epoch, runner.max_epochs, 'epochs')
        if by_epoch
        else (runner.iter, runner.max_iters, 'iterations')
    )
    stopped = getattr(loop, 'stop_training', False)
    if done < end and not stopped:
        return
    early = ', and was stopped early' if stopped else ''
    key = 'the patience of EarlyStoppingHook' if stopped else f'max_{unit}'
    text = (
        f'{runner._load_from} has {done} of {end} {unit}{early}: nothing is '
        f'left to train. To train longer, raise {key} (train_cfg)'
    )
    changed = [
        line[2:].strip(' ,')
        for line in difflib.ndiff(
            config.splitlines(), runner.cfg.pretty_text.splitlines()
        )
        if line.startswith('+ ') and not line[2:].startswith(_PLACES)
    ]
    if changed:
        raise ValueError(
            f'{text}. This config is not the one that it was trained with: '
            f'{some_of(changed)}. For a new run choose another --work-dir'
        )
    runner.logger.warning(text)


class ConfigSchedule:
    """The schedules and settings of a config at the start of a training.

    Args:
        runner: A run whose checkpoint is not loaded yet.
    """

    def __init__(self, runner: Runner) -> None:
        self._possible = not isinstance(runner.optim_wrapper, OptimWrapperDict)
        if self._possible:
            self._groups = [
                {k: v for k, v in group.items() if k != 'params'}
                for group in runner.optim_wrapper.param_groups
            ]
            self._schedulers = [
                copy.deepcopy(scheduler.state_dict())
                for scheduler in runner.param_schedulers or ()
            ]

    def differences(self, checkpoint: dict) -> list[str]:
        """Compare with a checkpoint."""
        found: dict[str, None] = {}
        if not self._possible:
            return []
        states = checkpoint.get('param_schedulers') or []
        if len(states) != len(self._schedulers):
            numbers = f'{len(self._schedulers)} instead of {len(states)}'
            found[f'number of param_scheduler {numbers}'] = None
        pairs = [
            (f'param_scheduler[{i}]', new, old, new.keys() - _PROGRESS)
            for i, (new, old) in enumerate(zip(self._schedulers, states))
        ]
        state = checkpoint['optimizer']
        groups = list(state.get('param_groups', ()))
        if 'base_param_settings' in state:
            groups.append(state['base_param_settings'])
        for new, old in zip(self._groups, groups):
            keys = {
                start if (start := f'initial_{key}') in new else key
                for key in _SETTINGS & new.keys()
            }
            pairs.append(('optimizer', new, old, keys))
        for place, new, old, keys in pairs:
            for key in sorted(keys & old.keys()):
                if not _equal(new[key], old[key]):
                    name = key.removeprefix('initial_')
                    text = f'{place}.{name} {new[key]} instead of {old[key]}'
                    found[text] = None
        return list(found)

    def follow(self, runner: Runner, differences: list[str]) -> None:
        """Let a resumed run have what the config says, from where it is."""
        text = f'The config differs from {runner._load_from}: '
        text += f'{some_of(differences)}. '
        pairs = list(zip(runner.param_schedulers or [], self._schedulers))
        by_metric = [p for p in pairs if getattr(p[0], 'need_val_args', False)]
        if by_metric:
            for scheduler, fresh in by_metric:
                settings = fresh.keys() - _PROGRESS
                scheduler.load_state_dict({k: fresh[k] for k in settings})
            runner.logger.warning(
                f'{text}ReduceOnPlateau... goes on with the settings of the '
                'config. The learning rate and other schedules stay as they '
                'were: with a schedule that follows a metric they cannot be '
                'repeated. To change them, start a new run from the weights '
                'with load_from=FILE and without --resume'
            )
            return
        wrapper = runner.optim_wrapper
        for group, fresh in zip(wrapper.param_groups, self._groups):
            group.update(fresh)
        for scheduler, fresh in pairs:
            scheduler.load_state_dict(fresh)
        _advance(runner)
        runner.logger.warning(
            f"{text}The config's are used from here on, as if they had been "
            f'from the start: learning rate {learning_rates([wrapper])} in '
            f'iteration {runner.iter + 1}. To go on as before, resume with '
            "the checkpoint's"
        )


def _equal(first: object, second: object) -> bool:
    if callable(first):
        return True
    pair = [
        tuple(value) if isinstance(value, list) else value
        for value in (first, second)
    ]
    if any(isinstance(value, torch.Tensor) for value in pair):
        return bool(torch.equal(*map(torch.as_tensor, pair)))
    return bool(np.all(pair[0] == pair[1]))


def _advance(runner: Runner) -> None:
    """Bring new schedules to the iteration and the epoch of a run."""
    by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
    length = len(runner.train_dataloader) if by_epoch else runner.iter + 1
    schedulers = runner.param_schedulers or []
    with warnings.catch_warnings():
        # The optimizer has made its steps before.
        warnings.simplefilter('ignore')
        for done in range(1, runner.iter + 1):
            for scheduler in schedulers:
                if not scheduler.by_epoch or done % length == 0:
                    scheduler.step()
