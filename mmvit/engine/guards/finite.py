"""Losses and gradients that are not finite: stop, or skip the batch."""

import contextlib
from collections.abc import Callable

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.nn.utils import (
    clip_grad_norm_,
    clip_grads_with_norm_,
    get_total_norm,
)

from mmvit.registry import HOOKS

from ..run_facts import learning_rates, unwrap, wrappers_of
from .bad_place import file_names, first_bad_place, is_finite

_ADVICE = (
    'Causes are a learning rate that is too high or without a warm-up, no '
    'optim_wrapper.clip_grad, float16 instead of bfloat16, or a broken sample'
)
_GRADIENT = 'the loss or a gradient is not finite'
# A loss scale with which gradients of an ordinary size may overflow
_HUGE = 2.0**64


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
        # Of the losses since the last step; they stay on their device.
        self._finite_losses: list[Tensor] = []
        # Of the step that is being made, for the clipping
        self._gradients: list[Tensor] = []
        self._norm: Tensor | None = None
        self._batch: object = None
        self._parts: dict[str, Tensor] = {}
        self._buffers: list[tuple[Tensor, Tensor]] = []
        self._undo = contextlib.ExitStack()

    def before_train(self, runner: Runner) -> None:
        """Watch the losses and the optimizer."""
        # Another runner than ours does not call `after_failed_train`.
        self._undo.close()
        self._in_a_row, self._finite_losses = 0, []
        model = unwrap(runner.model)
        parse = model.parse_losses

        def parse_losses(losses: dict) -> tuple:
            loss, self._parts = parse(losses)
            return loss, self._parts

        self._replace(model, 'parse_losses', parse_losses)
        for wrapper in wrappers_of(runner):
            self._replace(wrapper, 'backward', self._backward(runner, wrapper))
            self._replace(wrapper, 'step', self._step(runner, wrapper))
            # A loss scaler changes the gradients between check and clipping.
            clips = getattr(wrapper, 'clip_func', None) is clip_grad_norm_
            if clips and not hasattr(wrapper, 'loss_scaler'):
                self._replace(wrapper, 'clip_func', self._clip)

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
            finite = loss.detach().isfinite().all()
            self._finite_losses.append(finite)
            # The step looks at it, if one follows: to look makes a GPU wait.
            alone = not runner.distributed and not self.max_skipped
            if alone and not wrapper.should_update() and not finite:
                self._stop(runner, wrapper, 'the loss is not finite')

        return watched_backward

    def _step(self, runner: Runner, wrapper: OptimWrapper) -> Callable:
        step, scaler = wrapper.step, getattr(wrapper, 'loss_scaler', None)
        # The range of bfloat16 is that of float32: nothing overflows there,
        # unless the scale itself has grown beyond all bounds.
        wide = getattr(wrapper, 'cast_dtype', None) is torch.bfloat16

        def watched_step(**kwargs) -> None:
            try:
                if scaler is None or wide:
                    self._take_gradients(wrapper)
                bad = self._find_bad()
                if bad == _GRADIENT and wide and scaler.get_scale() > _HUGE:
                    bad = None
                if bad:
                    self._refuse(runner, wrapper, bad)
                    return
                self._in_a_row = 0
                step(**kwargs)
            finally:
                self._gradients, self._norm = [], None
            if scaler is not None and not wide and scaler.get_scale() < 1:
                what = 'gradients overflow with every loss scale down to 1'
                self._stop(runner, wrapper, what)

        # Schedulers look for this mark to see that steps are counted.
        watched_step._with_counter = True
        return watched_step

    def _take_gradients(self, wrapper: OptimWrapper) -> None:
        self._gradients = [
            parameter.grad
            for group in wrapper.optimizer.param_groups
            for parameter in group['params']
            if parameter.grad is not None and not parameter.grad.is_sparse
        ]
        self._norm = get_total_norm(self._gradients)

    def _find_bad(self) -> str | None:
        """Say what is not finite before a step, in any process."""
        flags, self._finite_losses = self._finite_losses, []
        losses = list(flags)
        if self._norm is not None:
            # A number that is not finite makes the norm not finite.
            norm = self._norm
            norm = norm.full_tensor() if isinstance(norm, DTensor) else norm
            flags.append(norm.isfinite())
        if not flags:
            return None
        bad = ~torch.stack([flag.to(flags[0].device) for flag in flags]).all()
        bad = bad.int()
        all_reduce(bad, 'max')
        if not bad:
            return None
        # The squares of large finite numbers overflow, too: look at each.
        loss_is_bad = not all(losses)
        bad.fill_(loss_is_bad or not is_finite(self._gradients))
        all_reduce(bad, 'max')
        if not bad:
            return None
        if loss_is_bad:
            return 'the loss is not finite'
        return _GRADIENT

    def _clip(self, parameters: list[Tensor], **options) -> Tensor:
        """Clip as torch does, with the norm of the check if it is the same."""
        kind = {'norm_type': 2.0, **options}
        if (
            self._norm is None
            or kind.keys() != {'max_norm', 'norm_type'}
            or kind['norm_type'] != 2.0
            or len(parameters) != len(self._gradients)
            or any(
                p.grad is not g for p, g in zip(parameters, self._gradients)
            )
        ):
            return clip_grad_norm_(parameters, **options)
        clip_grads_with_norm_(parameters, kind['max_norm'], self._norm)
        return self._norm

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

    def _refuse(
        self, runner: Runner, wrapper: OptimWrapper, what: str
    ) -> None:
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
        names = ', '.join(file_names(self._batch)) or 'not known'
        return (
            f'Loss parts: {parts or "not known"}. Learning rate: '
            f'{learning_rates([wrapper])}. Files: {names}'
        )

    def _stop(self, runner: Runner, wrapper: OptimWrapper, what: str) -> None:
        facts = self._facts(wrapper)
        place = first_bad_place(unwrap(runner.model), self._batch, wrapper)
        # Another training must not begin with these gradients.
        wrapper.zero_grad()
        raise FloatingPointError(
            f'iteration {runner.iter + 1}: {what}. Place: {place}. {facts}. '
            f'{_ADVICE}. To go on over single batches: '
            "default_hooks.finite=dict(type='mmvit.FiniteHook', "
            'max_skipped=N)'
        )
