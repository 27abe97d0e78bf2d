"""What a run must know of the one that it continues."""

import logging

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import EpochBasedTrainLoop, Runner

from .sampling import EndlessBatches, batch_size_of, skip_batches
from .unwrapping import unwrap


def wrappers_of(runner: Runner) -> list[OptimWrapper]:
    """The optimizer wrappers of a run, of which most have one."""
    wrapper = runner.optim_wrapper
    if isinstance(wrapper, OptimWrapperDict):
        return list(wrapper.values())
    return [wrapper]


def describe(runner: Runner) -> dict:
    """Say what the meaning of a checkpoint's counts depends on."""
    wrappers = wrappers_of(runner)
    return dict(
        world_size=get_world_size(),
        batch_size=batch_size_of(runner.train_dataloader),
        accumulative_counts=wrappers[0]._accumulative_counts,
        optimizers=[type(w.optimizer).__name__ for w in wrappers],
    )


def in_words(facts: dict) -> str:
    """Write out what `describe` found."""
    total = (
        facts['world_size']
        * facts['batch_size']
        * facts['accumulative_counts']
    )
    return (
        f'{facts["world_size"]} processes x {facts["batch_size"]} images x '
        f'{facts["accumulative_counts"]} accumulated = {total}'
    )


def _groups(state: dict) -> list[tuple[int, frozenset]]:
    # Schedulers add keys of their own, and old files may lack new options.
    return [
        (
            len(group['params']),
            frozenset(group) & {'momentum', 'betas', 'alpha', 'dampening'},
        )
        for group in state['param_groups']
    ]


def check_optimizer(runner: Runner, checkpoint: dict) -> None:
    """Check that a checkpoint's optimizer is the one of this run.

    Raises:
        ValueError: If its state has no place here.
    """
    facts = describe(runner)
    saved = checkpoint.get('meta', {}).get('run', {})
    before = saved.get('optimizers', facts['optimizers'])
    state = checkpoint.get('optimizer')
    same = before == facts['optimizers']
    if same and state is not None and 'param_groups' in state:
        own = runner.optim_wrapper.state_dict()
        same = _groups(state) == _groups(own)
    if not same:
        raise ValueError(
            f'{runner._load_from} was written with the optimizer '
            f'{", ".join(before)}, and this run has '
            f'{", ".join(facts["optimizers"])}, or other groups of parameters '
            '(optim_wrapper.paramwise_cfg): its state cannot go on. Resume '
            'with the same optim_wrapper, or start a new run from the '
            'weights alone with load_from=FILE and without --resume'
        )


def report_differences(runner: Runner, saved: dict) -> bool:
    """Log what another number of processes or batch size will change.

    Args:
        runner: The run that resumes.
        saved: What `describe` said when the checkpoint was written.

    Returns:
        Whether the run is the same.
    """
    facts = describe(runner)
    keys = ('world_size', 'batch_size', 'accumulative_counts')
    if all(saved.get(key) == facts[key] for key in keys):
        return True
    old = saved['world_size'] * saved['batch_size']
    new = facts['world_size'] * facts['batch_size']
    lines = [
        f'{runner._load_from} was written by {in_words(saved)} images an '
        f'update, this run has {in_words(facts)}. It will not be the run '
        'that an uninterrupted one would have been:'
    ]
    factor = (new * facts['accumulative_counts']) / (
        old * saved['accumulative_counts']
    )
    if factor != 1:
        lines.append(
            f"- the learning rate is the checkpoint's; for this batch the "
            f'linear rule asks for {factor:g} times as much '
            '(optim_wrapper.optimizer.lr, or the same batch by '
            'optim_wrapper.accumulative_counts)'
        )
    if old != new:
        lines.append(
            '- counts of iterations go on as they are, and mean '
            f'{new} images each instead of {old}'
        )
    if saved['world_size'] != facts['world_size']:
        lines.append(
            '- dropout and drop path draw other numbers: each process has '
            'its own generators'
        )
    lines.append(
        '- the order of the data and their augmentation go on where they were'
    )
    print_log('\n'.join(lines), 'current', level=logging.WARNING)
    return False


def place_in_data(runner: Runner, saved: dict) -> int:
    """Let the data go on where a checkpoint's run was.

    Args:
        runner: The run that resumes, before its loop begins.
        saved: What `describe` said when the checkpoint was written.

    Returns:
        The number of batches of an epoch that are left out; 0 for loops that
        count iterations, which skip by themselves.
    """
    loop, loader = runner.train_loop, runner.train_dataloader
    facts = describe(runner)
    old = saved['world_size'] * saved['batch_size']
    new = facts['world_size'] * facts['batch_size']
    if isinstance(getattr(loop, 'dataloader_iterator', None), EndlessBatches):
        loop.dataloader_iterator.resumed_batch = old
        return 0
    if not isinstance(loop, EpochBasedTrainLoop):
        return 0
    batches = min(saved.get('batches', 0) * old // new, len(loader))
    loop._iter = loop._epoch * len(loader) + batches
    if batches and not skip_batches(loader, batches):
        print_log(
            f'this data loader cannot begin in the middle of an epoch: its '
            f'first {batches} batches are trained on again',
            'current',
            level=logging.WARNING,
        )
    return batches


def pending_gradients(runner: Runner) -> dict[str, torch.Tensor]:
    """Gradients that are accumulated and not yet used, of all processes."""
    if all(wrapper.should_update() for wrapper in wrappers_of(runner)):
        return {}
    gradients = {}
    for name, parameter in unwrap(runner.model).named_parameters():
        if parameter.grad is not None:
            gradients[name] = parameter.grad.detach().clone()
            all_reduce(gradients[name], 'mean')
    return {name: grad.cpu() for name, grad in gradients.items()}


def restore_gradients(
    runner: Runner, gradients: dict[str, torch.Tensor]
) -> None:
    """Put back what `pending_gradients` found."""
    parameters = dict(unwrap(runner.model).named_parameters())
    for name, grad in gradients.items():
        parameters[name].grad = grad.to(parameters[name].device)
