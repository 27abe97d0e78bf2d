"""Resuming a run so that it continues as if it had never stopped."""

import itertools

import torch
from mmengine.dist import (
    all_gather,
    all_gather_object,
    get_world_size,
    is_main_process,
)
from mmengine.hooks import EarlyStoppingHook, EMAHook, Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor

from mmvit.checkpoints.reading import can_be_saved
from mmvit.registry import HOOKS
from mmvit.utils.log import warn

from ..random_states import get_states, set_states
from ..run_facts import UpdateBatch, unwrap, update_batch, wrappers_of
from ..samplers import EndlessBatches, skip_batches
from .resumed_config import (
    ConfigSchedule,
    check_complete,
    check_optimizer,
    drop_averages,
    optimizer_names,
    report_batch,
    report_finished,
)


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
        warn(
            'this data loader cannot start in the middle of an epoch: its '
            f'first {batches} batches are trained on again'
        )
    return batches


def _of_all_processes(
    tensors: dict[str, Tensor], like: dict[str, Tensor]
) -> list[dict[str, Tensor]]:
    """Bring tensors of all processes into the main one's memory.

    `like` has the names and shapes, the same in all processes; each process
    gives some of them. Only the main one gets what each has given.
    """
    names = all_gather_object(list(tensors))
    found = [{} for _ in names]
    wanted = set(itertools.chain(*names))
    # One at a time: a GPU has no room for all of them.
    for name in filter(wanted.__contains__, like):
        own = tensors.get(name)
        own = torch.zeros_like(like[name]) if own is None else own
        if isinstance(own, DTensor):  # Of a model that is shared out
            own = own.full_tensor()
        parts = all_gather(own.detach().contiguous())
        for rank, part in enumerate(parts):
            if is_main_process() and name in names[rank]:
                found[rank][name] = part.to('cpu', copy=True)
    return found


def _pending_gradients(runner: Runner) -> list[dict[str, Tensor]]:
    """Collect, of each process, gradients that no update has used yet."""
    if all(wrapper.should_update() for wrapper in wrappers_of(runner)):
        return []
    parameters = dict(unwrap(runner.model).named_parameters())
    gradients = {
        name: parameter.grad
        for name, parameter in parameters.items()
        if parameter.grad is not None
    }
    return _of_all_processes(gradients, parameters)


def _statistics(runner: Runner) -> dict[str, Tensor]:
    """Return what a model and its averages keep besides parameters."""
    averages = [h.ema_model for h in runner.hooks if isinstance(h, EMAHook)]
    return {
        f'{number}.{name}': value
        for number, module in enumerate([unwrap(runner.model), *averages])
        for name, value in module.state_dict(keep_vars=True).items()
        if not isinstance(value, torch.nn.Parameter)
        and value.is_floating_point()
    }


def _differing_statistics(runner: Runner) -> list[dict[str, Tensor]]:
    """Collect, of each process, statistics that the first one has not."""
    if get_world_size() == 1:
        return []
    own = _statistics(runner)
    first, *others = _of_all_processes(own, own)
    return [{}] + [
        {k: v for k, v in other.items() if not torch.equal(v, first[k])}
        for other in others
    ]


def _number_of_images(runner: Runner) -> int | None:
    dataset = runner.train_dataloader.dataset
    return len(dataset) if hasattr(dataset, '__len__') else None


def _early_stopping(runner: Runner) -> list[EarlyStoppingHook]:
    return [h for h in runner.hooks if isinstance(h, EarlyStoppingHook)]


def _drop_unreadable(messages: dict) -> None:
    """Drop what no run could read, such as a metric that is an object."""
    scalars, information = messages['log_scalars'], messages['runtime_info']
    metrics = {k: v for k, v in scalars.items() if k.startswith('val/')}
    for key, value in {**information, **metrics}.items():
        if not can_be_saved(value):
            (information if key in information else scalars).pop(key)
            warn(
                f'{key} is of a type that a checkpoint cannot hold '
                f'({type(value).__name__}): it is left out of the checkpoint'
            )


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Lets a resumed run continue as if it had never stopped.

    Checkpoints get, of all processes, the random states, gradients that no
    update has used yet, and the running statistics, further the place in the
    data, and what stops a run early. A resumed run restores them, or logs
    what will differ. Where its config has other schedules than the
    checkpoint, it follows the config. Validation leaves the random states
    alone.
    """

    # Before other hooks draw numbers
    priority = 'HIGHEST'

    def __init__(self) -> None:
        self._before_val: dict | None = None
        self._gathered: dict | None = None
        # Of the checkpoint that is resumed: `meta['run']`, until it is
        # restored, the config's text, and how this run's schedules differ
        self._saved: dict | None = None
        self._config: str | None = None
        self._schedule: ConfigSchedule | None = None
        self._differences: list[str] = []

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
        self._gathered = dict(
            random_states=all_gather_object(self._before_val or get_states()),
            gradients=_pending_gradients(runner),
            statistics=_differing_statistics(runner),
        )
        # A resumed run that has not trained yet still has what it will use.
        for key in ('random_states', 'gradients'):
            if self._saved is not None and key in self._saved:
                self._gathered[key] = self._saved[key]

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the run's state, in the main process."""
        # Another runner than ours does not gather.
        states = self._gathered or dict(
            random_states=[self._before_val or get_states()]
        )
        self._gathered = None
        _drop_unreadable(checkpoint['message_hub'])
        meta = checkpoint['meta']
        loader, batches = runner.train_dataloader, 0
        if isinstance(runner.train_loop, EpochBasedTrainLoop):
            batches = max(0, meta['iter'] - meta['epoch'] * len(loader))
        meta['run'] = dict(
            update_batch(runner)._asdict(),
            optimizers=optimizer_names(runner),
            images=_number_of_images(runner),
            batches=batches,
            stopped=getattr(runner.train_loop, 'stop_training', False),
            early_stopping=[
                (hook.wait_count, hook.best_score, hook.patience)
                for hook in _early_stopping(runner)
            ],
            **states,
        )

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check that the run can continue from the checkpoint."""
        if not runner._resume:
            return
        check_complete(str(runner._load_from), checkpoint)
        self._saved = checkpoint['meta'].get('run')
        self._config = checkpoint['meta'].get('cfg', '')
        check_optimizer(runner, checkpoint, self._saved or {})
        drop_averages(runner, checkpoint)
        self._schedule = ConfigSchedule(runner)
        self._differences = self._schedule.differences(checkpoint)
        if self._saved is None:
            runner.logger.warning(
                f'{runner._load_from} holds no random states: what is drawn '
                'from here on is not what an uninterrupted run had drawn'
            )

    def before_train(self, runner: Runner) -> None:
        """Go to the place in the data, and restore what needs no data."""
        if self._saved is not None:
            self._compare_batches(runner)
            self._restore_early_stopping(runner)
            own, saved = _statistics(runner), self._saved.get('statistics')
            for name, value in saved[runner.rank].items() if saved else ():
                own[name].copy_(value)
        if self._differences:
            self._schedule.follow(runner, self._differences)
            self._differences = []
        if self._config is not None:
            report_finished(runner, self._config)
            self._config = None

    def _compare_batches(self, runner: Runner) -> None:
        old = UpdateBatch(*map(self._saved.get, UpdateBatch._fields))
        new = update_batch(runner)
        now = _number_of_images(runner)
        images = self._saved.get('images', now), now
        if old != new or images[0] != images[1]:
            report_batch(runner._load_from, old, new, images)
        if old != new:
            self._saved.pop('gradients', None)
            if old.world_size != new.world_size:
                self._saved.pop('random_states', None)
                self._saved.pop('statistics', None)
        self._saved['batches'] = _seek_data(
            runner, old, self._saved.get('batches', 0)
        )

    def _restore_early_stopping(self, runner: Runner) -> None:
        hooks = _early_stopping(runner)
        states = self._saved.get('early_stopping', ())
        for hook, state in zip(hooks, states):
            hook.wait_count, hook.best_score, _ = state
        # With a patience that was raised, the run is to go on.
        raised = any(h.patience > s[2] for h, s in zip(hooks, states))
        if hooks and self._saved.get('stopped') and not raised:
            runner.train_loop.stop_training = True

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
        gradients = self._saved.get('gradients') or {}
        # One dictionary for all processes: a file of an earlier version
        if isinstance(gradients, list):
            gradients = gradients[runner.rank]
        for name, grad in gradients.items():
            parameter = unwrap(runner.model).get_parameter(name)
            grad = grad.to(parameter.device)
            if isinstance(parameter, DTensor):
                mesh, placements = parameter.device_mesh, parameter.placements
                grad = distribute_tensor(grad, mesh, placements)
            parameter.grad = grad
        self._saved = None
