"""Advice for out-of-memory errors."""

import math

import torch
from mmengine.runner import Runner

from ..run_facts import unwrap, update_batch


def advise(runner: Runner, batch: object) -> str:
    """Say what a run can change to need less memory for a batch."""
    update = update_batch(runner)
    text = (
        f'out of memory in iteration {runner.iter + 1}, with '
        f'{update.batch_size} images'
    )
    images = batch.get('inputs', ()) if isinstance(batch, dict) else ()
    # The largest height, and the largest width
    size = [max(sides) for sides in zip(*(i.shape[-2:] for i in images))]
    if size:
        text += f' of up to {size[0]} x {size[1]} pixels on each process'
    lines = [f'{text}. What helps, in the order of its cost:']
    backbone = getattr(unwrap(runner.model), 'backbone', None)
    if backbone is not None and any(
        getattr(module, 'with_cp', None) is False
        for module in backbone.modules()
    ):
        lines.append(
            '- model.backbone.with_cp=True: the same result, but activations '
            'of the blocks are computed twice'
        )
    if torch.cuda.is_available() and (
        type(runner.optim_wrapper).__name__ == 'OptimWrapper'
    ):
        lines.append('- --amp: bfloat16, activations take half the memory')
    if update.batch_size > 1:
        half = update.batch_size // 2
        factor = math.ceil(update.batch_size / half)
        accumulated = update.accumulative_counts
        lines.append(
            f'- train_dataloader.batch_size={half} '
            f'optim_wrapper.accumulative_counts={accumulated * factor}: the '
            f'batch of an update stays {update.batch_size * accumulated} a '
            'process, and so does the learning rate (a schedule in iterations '
            f'needs {factor} times as many)'
        )
    if size:
        smaller = [max(32, int(side * 0.7071) // 32 * 32) for side in size]
        lines.append(
            f'- a crop or scale of {smaller[0]} x {smaller[1]} instead of '
            f'{size[0]} x {size[1]}: half the pixels; accuracy will suffer'
        )
    lines.append(
        '- tools/analysis_tools/benchmark.py CONFIG --part model '
        '--largest-batch finds the largest batch that fits'
    )
    return '\n'.join(lines)
