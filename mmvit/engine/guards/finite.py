"""Losses and gradients that are not finite: stop, or skip the batch."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from mmvit.registry import HOOKS
from mmvit.utils.text import some_of

from ..run_facts import learning_rates, unwrap, wrappers_of

_ADVICE = (
    'Causes are a learning rate that is too high or without a warm-up, no '
    'optim_wrapper.clip_grad, float16 instead of bfloat16, or a broken sample'
)


def _is_finite(value: object) -> bool:
    """Whether all tensors in nested dicts, lists and tuples are finite."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return all(map(_is_finite, value))
    return not isinstance(value, Tensor) or bool(value.isfinite().all())


def _file_names(batch: object) -> list[str]:
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
        if not _is_finite(output):
            given = '' if _is_finite(args) else ', whose input is not'
            found.append(f'{name} ({type(module).__name__}){given}')

    with contextlib.ExitStack() as hooks:
        for name, module in model.named_modules():
            if name:
                hook = partial(look, name)
                hooks.enter_context(module.register_forward_hook(hook))
        yield found


def _first_bad_place(
    model: nn.Module, batch: object, wrapper: OptimWrapper
) -> str:
    """Say where the numbers of a batch stop being finite.

    The batch goes through the model once more, with every module watched.
    """
    weights = [n for n, p in model.named_parameters() if not _is_finite(p)]
    if weights:
        return f'these weights are not finite: {some_of(weights)}'
    losses = {}
    with _bad_outputs(model) as found:
        try:
            with torch.no_grad(), wrapper.optim_context(model):
                data = model.data_preprocessor(batch, True)
                if not _is_finite(data):
                    return 'the images themselves are not finite'
                losses = model._run_forward(data, mode='loss')
        except Exception as error:
            if not found:
                return f'not found: repeating the batch failed: {error}'
    if found:
        return f'the first output that is not finite is that of {found[0]}'
    bad = [name for name, loss in losses.items() if not _is_finite(loss)]
    if bad:
        return f'every layer is finite, these losses are not: {some_of(bad)}'
    bad = [n for n, p in model.named_parameters() if not _is_finite(p.grad)]
    if bad:
        return (
            'the forward pass is finite, the gradients are not, of: '
            f'{some_of(bad)}'
        )
    return 'not found: the batch is finite when it is repeated'


@HOOKS.register_module()
class FiniteHook(Hook):
    """Stops, or skips the batch, if a loss or a gradient is not finite.

    The weights are not updated with such a gradient. In float16 a gradient
    may overflow now and then: there the loss scaler skips the step, and the
    run stops when the scale falls below 1. What the hook wraps during a
    training is restored at the end.

    Args:
        max_skipped: How many batches in a row are skipped; 0 stops at the
            first one.
    """

    def __init__(self, max_skipped: int = 0) -> None:
        self.max_skipped = max_skipped
        self.skipped = 0  # in total
        self._in_a_row = 0
        self._loss_is_bad = False
        self._batch: object = None
        self._parts: dict[str, Tensor] = {}
        self._buffers: list[tuple[Tensor, Tensor]] = []
        self._undo = contextlib.ExitStack()

    def before_train(self, runner: Runner) -> None:
        """Watch the losses and the optimizer."""
        # Another runner than ours does not call `after_failed_train`.
        self._undo.close()
        self._in_a_row, self._loss_is_bad = 0, False
        model = unwrap(runner.model)
        parse = model.parse_losses

        def parse_losses(losses: dict) -> tuple:
            loss, self._parts = parse(losses)
            return loss, self._parts

        self._replace(model, 'parse_losses', parse_losses)
        for wrapper in wrappers_of(runner):
            self._replace(wrapper, 'backward', self._backward(runner, wrapper))
            self._replace(wrapper, 'step', self._step(runner, wrapper))

    def _replace(self, owner: object, name: str, value: Callable) -> None:
        """Set an attribute until `_undo` is closed."""
        if name in vars(owner):
            self._undo.callback(setattr, owner, name, vars(owner)[name])
        else:
            self._undo.callback(delattr, owner, name)
        setattr(owner, name, value)

    def _backward(self, runner: Runner, wrapper: OptimWrapper) -> Callable:
        backward = wrapper.backward

        def watched_backward(loss: Tensor, **kwargs) -> None:
            backward(loss, **kwargs)
            if not loss.isfinite().all():
                self._loss_is_bad = True
                if not runner.distributed and not self.max_skipped:
                    self._stop(runner, wrapper, 'the loss is not finite')

        return watched_backward

    def _step(self, runner: Runner, wrapper: OptimWrapper) -> Callable:
        step, scaler = wrapper.step, getattr(wrapper, 'loss_scaler', None)
        if getattr(wrapper, 'cast_dtype', None) is torch.bfloat16:
            scaler = None  # The range is that of float32: nothing overflows.

        def watched_step(**kwargs) -> None:
            bad = self._loss_is_bad or (
                scaler is None and not self._gradients_are_finite(wrapper)
            )
            self._loss_is_bad = False
            bad_anywhere = torch.tensor(int(bad))
            all_reduce(bad_anywhere, 'max')
            if bad_anywhere:
                self._refuse(runner, wrapper)
                return
            self._in_a_row = 0
            step(**kwargs)
            if scaler is not None and scaler.get_scale() < 1:
                what = 'gradients overflow with every loss scale down to 1'
                self._stop(runner, wrapper, what)

        # Schedulers look for this mark to see that steps are counted.
        watched_step._with_counter = True
        return watched_step

    @staticmethod
    def _gradients_are_finite(wrapper: OptimWrapper) -> bool:
        gradients = [
            parameter.grad
            for group in wrapper.optimizer.param_groups
            for parameter in group['params']
            if parameter.grad is not None and not parameter.grad.is_sparse
        ]
        norm = get_total_norm(gradients)
        # A number that is not finite makes the norm not finite. The squares
        # of large finite numbers overflow, too: then each tensor is tested.
        return bool(norm.isfinite()) or _is_finite(gradients)

    def before_train_iter(
        self, runner: Runner, data_batch: object = None, **_: object
    ) -> None:
        """Remember the batch, and the buffers if batches may be skipped."""
        self._batch = data_batch
        if self.max_skipped:
            self._buffers = [
                (buffer, buffer.clone())
                for buffer in unwrap(runner.model).buffers()
                if buffer.is_floating_point()
            ]

    def after_train(self, runner: Runner) -> None:
        """Restore what was wrapped, and log how many were skipped."""
        self._undo.close()
        if self.skipped:
            runner.logger.warning(
                f'{self.skipped} batches were skipped because a loss or a '
                'gradient was not finite; the log names them'
            )

    def after_failed_train(self, runner: Runner) -> None:  # noqa: ARG002
        """Restore what was wrapped; GuardedRunner calls it."""
        self._undo.close()

    def _refuse(self, runner: Runner, wrapper: OptimWrapper) -> None:
        what = 'the loss or a gradient is not finite'
        if self._in_a_row == self.max_skipped:
            if self.max_skipped:
                what += f', after {self.max_skipped} skipped ones in a row'
            self._stop(runner, wrapper, what)
        self._in_a_row += 1
        self.skipped += 1
        for buffer, before in self._buffers:
            buffer.copy_(before)
        runner.logger.warning(
            f'iteration {runner.iter + 1}: {what}; batch skipped '
            f'({self._in_a_row} in a row, {self.skipped} in all; at most '
            f'{self.max_skipped} in a row). {self._facts(wrapper)}'
        )

    def _facts(self, wrapper: OptimWrapper) -> str:
        parts = ', '.join(
            f'{name} {value.item():.4g}' for name, value in self._parts.items()
        )
        names = ', '.join(_file_names(self._batch)) or 'not known'
        return (
            f'Loss parts: {parts or "not known"}. Learning rate: '
            f'{learning_rates([wrapper])}. Files: {names}'
        )

    def _stop(self, runner: Runner, wrapper: OptimWrapper, what: str) -> None:
        facts = self._facts(wrapper)
        place = _first_bad_place(unwrap(runner.model), self._batch, wrapper)
        # Another training must not begin with these gradients.
        wrapper.zero_grad()
        raise FloatingPointError(
            f'iteration {runner.iter + 1}: {what}. Place: {place}. {facts}. '
            f'{_ADVICE}. To go on over single batches: '
            "default_hooks.finite=dict(type='mmvit.FiniteHook', "
            'max_skipped=N)'
        )
