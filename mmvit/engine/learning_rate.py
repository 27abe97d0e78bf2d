"""The learning rate that belongs to a batch."""

import logging

from mmengine.logging import print_log
from mmengine.runner import Runner

from .run_facts import learning_rates, update_batch, wrappers_of


def scale_lr(runner: Runner, auto_scale_lr: dict | None) -> None:
    """Log the batch of an update, and scale the learning rate if asked.

    The learning rate grows in proportion to the images of an update, which
    are processes x images x accumulated batches.
    """
    batch, wrappers = update_batch(runner), wrappers_of(runner)
    auto_scale_lr = auto_scale_lr or {}
    base = auto_scale_lr.get('base_batch_size')
    text, level = f'Batch of an update: {batch} images', logging.INFO
    if auto_scale_lr.get('enable'):
        if not base:
            raise ValueError(
                'auto_scale_lr.enable needs auto_scale_lr.base_batch_size: '
                'the batch that the learning rate was chosen for'
            )
        factor = batch.images / base
        for wrapper in wrappers:
            for group in wrapper.optimizer.param_groups:
                group['lr'] *= factor
        text += f'; learning rate scaled from {base} by {factor:g}'
    elif base and base != batch.images:
        level = logging.WARNING
        text += (
            f'. The learning rate was chosen for {base}: the linear rule asks '
            f'for {batch.images / base:g} times as much (--auto-scale-lr), or '
            f'keep {base} by train_dataloader.batch_size and '
            'optim_wrapper.accumulative_counts'
        )
    elif base:
        text += ', which the learning rate was chosen for'
    text += f'. Learning rate: {learning_rates(wrappers)}'
    print_log(text, 'current', level)
