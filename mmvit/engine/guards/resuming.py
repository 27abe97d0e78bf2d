"""Resuming a run so that it continues as if it had never stopped."""

import logging

import torch
from mmengine.dist import all_gather_object, all_reduce
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch.distributed.tensor import DTensor, distribute_tensor

from mmvit.registry import HOOKS

from ..random_states import get_states, set_states
from ..run_facts import UpdateBatch, unwrap, update_batch, wrappers_of
from ..samplers import EndlessBatches, skip_batches


def _optimizers(runner: Runner) -> list[str]:
    return [type(w.optimizer).__name__ for w in wrappers_of(runner)]


def _groups(state: dict) -> list[tuple[int, set]]:
    # Schedulers add keys of their own, and old files may lack new options:
    # only keys that tell optimizers apart are compared.
    keys = {'momentum', 'betas', 'alpha', 'dampening'}
    groups = state['param_groups']
    return [(len(group['params']), keys & group.keys()) for group in groups]


def _check_optimizer(runner: Runner, checkpoint: dict, saved: dict) -> None:
    own = _optimizers(runner)
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


def _report_differences(path: str, old: UpdateBatch, new: UpdateBatch) -> None:
    text = (
        f'{path} was written by {old} images an update, this run has {new}. '
        'The data continue where they were, but the run will differ from an '
        'uninterrupted one.'
    )
    if old.images != new.images:
        text += (
            " The learning rate is the checkpoint's; for this batch the "
            f'linear rule asks for {new.images / old.images:g} times as much '
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
            ' Dropout and drop path draw other numbers: each process has its '
            'own generators.'
        )
    print_log(text, 'current', level=logging.WARNING)


def _seek_data(runner: Runner, old: UpdateBatch, batches: int) -> int:
    """Let the data continue where a run with another batch was.

    That run had used `batches` of its epoch. It returns how many are skipped
    here: 0 for loops that count iterations, which skip by themselves.
    """
    loop, loader = runner.train_loop, runner.train_dataloader
    if isinstance(getattr(loop, 'dataloader_iterator', None), EndlessBatches):
        loop.dataloader_iterator.resumed_images = old.images_per_iter
        return 0
    if not isinstance(loop, EpochBasedTrainLoop):
        return 0
    images = update_batch(runner).images_per_iter
    batches = min(batches * old.images_per_iter // images, len(loader))
    loop._iter = loop._epoch * len(loader) + batches
    if batches and not skip_batches(loader, batches):
        text = (
            'this data loader cannot start in the middle of an epoch: its '
            f'first {batches} batches are trained on again'
        )
        print_log(text, 'current', logging.WARNING)
    return batches


def _pending_gradients(runner: Runner) -> dict[str, torch.Tensor]:
    """Average over processes the gradients that no update has used yet."""
    if all(wrapper.should_update() for wrapper in wrappers_of(runner)):
        return {}
    gradients = {}
    for name, parameter in unwrap(runner.model).named_parameters():
        if parameter.grad is not None:
            grad = parameter.grad.detach().clone()
            if isinstance(grad, DTensor):  # It is averaged already.
                grad = grad.full_tensor()
            else:
                all_reduce(grad, 'mean')
            gradients[name] = grad.cpu()
    return gradients


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Lets a resumed run continue as if it had never stopped.

    Checkpoints get the random states of all processes, the place in the data,
    and gradients that no update has used yet. A resumed run restores them, or
    logs what will differ. Validation leaves the random states alone.
    """

    # Before other hooks draw numbers
    priority = 'HIGHEST'

    def __init__(self) -> None:
        self._before_val: dict | None = None
        self._gathered: dict | None = None
        # `meta['run']` of the checkpoint that is resumed
        self._saved: dict | None = None

    def before_val(self, runner: Runner) -> None:  # noqa: ARG002
        """Remember the random states."""
        self._before_val = get_states()

    def after_val(self, runner: Runner) -> None:  # noqa: ARG002
        """Restore them."""
        if self._before_val is not None:
            set_states(self._before_val)
            self._before_val = None

    def gather_for_checkpoint(self, runner: Runner) -> None:
        """Collect the state of all processes; GuardedRunner calls it."""
        # Inside a validation, what counts is the state before it.
        states = self._before_val or get_states()
        self._gathered = dict(
            random_states=all_gather_object(states),
            gradients=_pending_gradients(runner),
        )

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the run's state, in the main process."""
        # Another runner than ours does not gather.
        states = self._gathered or dict(
            random_states=[self._before_val or get_states()]
        )
        self._gathered = None
        meta = checkpoint['meta']
        batches = 0
        if isinstance(runner.train_loop, EpochBasedTrainLoop):
            passed = meta['epoch'] * len(runner.train_dataloader)
            batches = max(0, meta['iter'] - passed)
        meta['run'] = dict(
            update_batch(runner)._asdict(),
            optimizers=_optimizers(runner),
            batches=batches,
            **states,
        )

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check that the run can continue from the checkpoint."""
        if not runner._resume:
            return
        self._saved = checkpoint.get('meta', {}).get('run')
        _check_optimizer(runner, checkpoint, self._saved or {})
        if self._saved is None:
            runner.logger.warning(
                f'{runner._load_from} holds no random states: what is drawn '
                'from here on is not what an uninterrupted run had drawn'
            )

    def before_train(self, runner: Runner) -> None:
        """Go to the place in the data."""
        if self._saved is None:
            return
        old = UpdateBatch(*map(self._saved.get, UpdateBatch._fields))
        new = update_batch(runner)
        if old != new:
            _report_differences(runner._load_from, old, new)
            self._saved.pop('gradients', None)
            if old.world_size != new.world_size:
                self._saved.pop('random_states', None)
        self._saved['batches'] = _seek_data(
            runner, old, self._saved.get('batches', 0)
        )

    def before_train_epoch(self, runner: Runner) -> None:
        """Restore the random states at the beginning of an epoch."""
        if (
            self._saved is not None
            and isinstance(runner.train_loop, EpochBasedTrainLoop)
            and not self._saved['batches']
        ):
            self._restore(runner)

    def before_train_iter(self, runner: Runner, **_: object) -> None:
        """Restore the random states in the middle of an epoch."""
        if self._saved is not None:
            self._restore(runner)

    def _restore(self, runner: Runner) -> None:
        states = self._saved.get('random_states', [])
        if runner.rank < len(states):
            set_states(states[runner.rank])
        for name, grad in self._saved.get('gradients', {}).items():
            parameter = unwrap(runner.model).get_parameter(name)
            grad = grad.to(parameter.device)
            if isinstance(parameter, DTensor):
                mesh, placements = parameter.device_mesh, parameter.placements
                grad = distribute_tensor(grad, mesh, placements)
            parameter.grad = grad
        self._saved = None
