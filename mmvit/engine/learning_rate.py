"""The learning rate that belongs to a batch."""

import logging

from mmengine.logging import print_log
from mmengine.runner import Runner

from .resuming import describe, in_words, wrappers_of


def apply_rule(runner: Runner, rule: dict | None) -> None:
    """Log the batch of an update, and scale the learning rate to it if asked.

    The rate grows in proportion to the images of an update: processes x
    images x accumulated batches.

    Args:
        runner: The run, with its loop and optimizer built.
        rule: `auto_scale_lr` of its config: `base_batch_size`, `enable`.

    Raises:
        ValueError: If it is to be scaled, and from what is not said.
    """
    facts = describe(runner)
    total = (
        facts['world_size']
        * facts['batch_size']
        * facts['accumulative_counts']
    )
    text = f'Batch of an update: {in_words(facts)} images'
    rule = rule or {}
    base = rule.get('base_batch_size')
    level = logging.INFO
    groups = [
        group
        for wrapper in wrappers_of(runner)
        for group in wrapper.optimizer.param_groups
    ]
    if rule.get('enable'):
        if not base:
            raise ValueError(
                'auto_scale_lr.enable needs auto_scale_lr.base_batch_size: '
                'the batch that the learning rate was chosen for'
            )
        for group in groups:
            group['lr'] *= total / base
        text += f'; learning rate scaled from {base} by {total / base:g}'
    elif base and base != total:
        level = logging.WARNING
        text += (
            f'. The learning rate was chosen for {base}: the linear rule asks '
            f'for {total / base:g} times as much (--auto-scale-lr), or keep '
            f'{base} by train_dataloader.batch_size and '
            'optim_wrapper.accumulative_counts'
        )
    elif base:
        text += ', which the learning rate was chosen for'
    rates = sorted({group['lr'] for group in groups})
    text += f'. Learning rate: {rates[0]:.6g}'
    if len(rates) > 1:
        text += f' to {rates[-1]:.6g}'
    print_log(text, 'current', level=level)
