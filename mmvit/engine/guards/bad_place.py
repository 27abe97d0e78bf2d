"""Where the numbers of a training stop being finite."""

import contextlib
from collections.abc import Iterator
from functools import partial

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from mmvit.utils.text import some_of


def is_finite(value: object) -> bool:
    """Whether all tensors in nested dicts, lists and tuples are finite."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return all(map(is_finite, value))
    return not isinstance(value, Tensor) or bool(value.isfinite().all())


def file_names(batch: object) -> list[str]:
    """List the image files of a batch, as far as it names them."""
    samples = batch.get('data_samples') if isinstance(batch, dict) else None
    paths = (getattr(sample, 'img_path', None) for sample in samples or ())
    return [str(path) for path in paths if path]


@contextlib.contextmanager
def _bad_outputs(model: nn.Module) -> Iterator[list[str]]:
    """Collect, first to last, the modules whose output is not finite."""
    found = []

    def look(
        name: str, module: nn.Module, args: tuple, output: object
    ) -> None:
        if not is_finite(output):
            given = '' if is_finite(args) else ', whose input is not'
            found.append(f'{name} ({type(module).__name__}){given}')

    with contextlib.ExitStack() as hooks:
        for name, module in model.named_modules():
            if name:
                hook = partial(look, name)
                hooks.enter_context(module.register_forward_hook(hook))
        yield found


def first_bad_place(
    model: nn.Module, batch: object, wrapper: OptimWrapper
) -> str:
    """Say where the numbers of a batch stop being finite.

    The batch goes through the model once more, with every module watched.
    """
    weights = [n for n, p in model.named_parameters() if not is_finite(p)]
    if weights:
        return f'these weights are not finite: {some_of(weights)}'
    losses = {}
    with _bad_outputs(model) as found:
        try:
            with torch.no_grad(), wrapper.optim_context(model):
                data = model.data_preprocessor(batch, True)
                if not is_finite(data):
                    return 'the images themselves are not finite'
                losses = model._run_forward(data, mode='loss')
        except Exception as error:
            if not found:
                return f'not found: repeating the batch failed: {error}'
    if found:
        return f'the first output that is not finite is that of {found[0]}'
    bad = [name for name, loss in losses.items() if not is_finite(loss)]
    if bad:
        return f'every layer is finite, these losses are not: {some_of(bad)}'
    bad = [n for n, p in model.named_parameters() if not is_finite(p.grad)]
    if bad:
        return (
            'the forward pass is finite, the gradients are not, of: '
            f'{some_of(bad)}'
        )
    return 'not found: the batch is finite when it is repeated'
