"""What to do about a run for which the memory does not suffice."""

import torch
from mmengine.runner import Runner

from .resuming import describe
from .unwrapping import unwrap

_CPU = 'DefaultCPUAllocator'


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that, on a GPU or on a CPU."""
    return isinstance(error, torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and _CPU in str(error)
    )


def _sizes(batch: object) -> list[tuple[int, int]]:
    images = batch.get('inputs') if isinstance(batch, dict) else None
    if isinstance(images, torch.Tensor):
        images = list(images)
    return [tuple(image.shape[-2:]) for image in images or []]


def _use() -> str:
    if not torch.cuda.is_available():
        return ''
    free, total = torch.cuda.mem_get_info()
    peak = torch.cuda.max_memory_allocated()
    return (
        f' Tensors took {peak / 2**30:.1f} GiB at most of '
        f'{total / 2**30:.1f} GiB; {free / 2**30:.1f} GiB are free, other '
        'processes may hold the rest.'
    )


def advise(runner: Runner, batch: object) -> str:
    """Say what this very run can change to need less memory.

    Args:
        runner: The run that failed.
        batch: What it was at, as the data loader gave it.
    """
    facts = describe(runner)
    size = facts['batch_size']
    accumulated = facts['accumulative_counts']
    sizes = _sizes(batch)
    text = f'out of memory in iteration {runner.iter + 1}, with {size} images'
    if sizes:
        height, width = (max(side) for side in zip(*sizes))
        text += f' of up to {height} x {width} pixels on each process'
    lines = [text + '.' + _use() + ' In the order of what costs least:']
    backbone = getattr(unwrap(runner.model), 'backbone', None)
    if any(
        getattr(module, 'with_cp', None) is False
        for module in (backbone.modules() if backbone is not None else ())
    ):
        lines.append(
            '- model.backbone.with_cp=True: the same result, activations of '
            'the blocks are computed twice'
        )
    if runner.optim_wrapper.__class__.__name__ == 'OptimWrapper' and (
        torch.cuda.is_available()
    ):
        lines.append('- --amp: bfloat16, activations take half the memory')
    if size > 1:
        half = size // 2
        factor = -(-size // half)
        lines.append(
            f'- train_dataloader.batch_size={half} '
            f'optim_wrapper.accumulative_counts={accumulated * factor}: the '
            f'batch of an update stays {size * accumulated} a process, and so '
            'does the learning rate (a schedule in iterations needs '
            f'{factor} times as many)'
        )
    if sizes:
        smaller = [
            max(32, int(side * 0.7071) // 32 * 32) for side in (height, width)
        ]
        lines.append(
            f'- a crop or scale of {smaller[0]} x {smaller[1]} instead of '
            f'{height} x {width}: half the pixels; accuracy will suffer'
        )
    lines.append(
        '- tools/analysis_tools/benchmark.py CONFIG --part model '
        '--largest-batch finds what fits'
    )
    return '\n'.join(lines)
