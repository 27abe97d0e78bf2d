"""Where numbers stop being finite."""

from collections.abc import Iterator

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

_SHOWN = 5


def all_finite(tensors: list[Tensor], norm: Tensor | None = None) -> bool:
    """Whether tensors hold finite numbers only.

    Args:
        tensors: Of any types and sizes.
        norm: That of all of them, if it is known.
    """
    tensors = [t for t in tensors if t.is_floating_point() and t.numel()]
    if not tensors:
        return True
    if norm is None:
        norm = nn.utils.get_total_norm(tensors)
    # A norm is not finite where one of its numbers is not; finite numbers
    # whose squares overflow are looked at again.
    return bool(norm.isfinite()) or all(
        bool(tensor.isfinite().all()) for tensor in tensors
    )


def gradients_of(wrapper: OptimWrapper) -> list[Tensor]:
    """Gradients of what an optimizer updates."""
    return [
        parameter.grad
        for group in wrapper.optimizer.param_groups
        for parameter in group['params']
        if parameter.grad is not None and not parameter.grad.is_sparse
    ]


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _tensors(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _tensors(part)


def _is_finite(value: object) -> bool:
    return all(
        bool(tensor.isfinite().all())
        for tensor in _tensors(value)
        if tensor.is_floating_point()
    )


def file_names(batch: object) -> list[str]:
    """Image files of a batch, as far as its samples know them."""
    samples = batch.get('data_samples') if isinstance(batch, dict) else None
    return [
        str(sample.img_path)
        for sample in samples or []
        if getattr(sample, 'img_path', None)
    ]


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ', '.join(names[:_SHOWN]) + (
        f' and {more} more' if more > 0 else ''
    )


class _FirstBad:
    """Notes the first module whose output is not finite."""

    def __init__(self, model: nn.Module) -> None:
        self.found: str | None = None
        self.handles = [
            module.register_forward_hook(self._look(name))
            for name, module in model.named_modules()
            if name
        ]

    def _look(self, name: str) -> object:
        def look(module: nn.Module, args: tuple, output: object) -> None:
            if self.found is None and not _is_finite(output):
                given = '' if _is_finite(args) else ', whose input is not'
                self.found = f'{name} ({type(module).__name__}){given}'

        return look

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()


def first_bad_place(
    model: nn.Module, batch: object, wrapper: OptimWrapper
) -> str:
    """Say where a batch's numbers stop being finite.

    The batch goes through the model once more, with every module watched.

    Args:
        model: The network, without a distributed wrapper.
        batch: As the data loader gave it.
        wrapper: Knows the precision.
    """
    weights = [n for n, p in model.named_parameters() if not _is_finite(p)]
    if weights:
        return f'these weights are not finite: {_some(weights)}'
    watch = _FirstBad(model)
    try:
        with torch.no_grad(), wrapper.optim_context(model):
            data = model.data_preprocessor(batch, True)
            if not _is_finite(data):
                return 'the images themselves are not finite'
            losses = model._run_forward(data, mode='loss')
    except Exception as error:
        if watch.found is None:
            return f'not found: the batch failed when it was repeated: {error}'
        losses = {}
    finally:
        watch.remove()
    if watch.found is not None:
        return f'the first output that is not finite is that of {watch.found}'
    bad = [name for name, loss in losses.items() if not _is_finite(loss)]
    if bad:
        return f'every layer is finite, these losses are not: {_some(bad)}'
    gradients = [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is not None and not _is_finite(parameter.grad)
    ]
    if gradients:
        return (
            'the forward pass is finite, the gradients are not, of: '
            f'{_some(gradients)}'
        )
    return 'not found: the batch is finite when it is repeated'
