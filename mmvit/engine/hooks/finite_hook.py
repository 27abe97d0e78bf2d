from collections.abc import Callable

import torch
from mmengine.dist import all_reduce, get_comm_device
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import Tensor
from torch.nn.utils import (
    clip_grad_norm_,
    clip_grads_with_norm_,
    get_total_norm,
)

from mmvit.registry import HOOKS

from ..finiteness import (
    all_finite,
    file_names,
    first_bad_place,
    gradients_of,
)
from ..resuming import wrappers_of
from ..unwrapping import unwrap

_ADVICE = (
    'Causes are a learning rate that is too high or without a warm-up, no '
    'optim_wrapper.clip_grad, float16 instead of bfloat16, or a broken sample'
)


class _ClipByKnownNorm:
    """torch's clip_grad_norm_, of gradients whose norm is known."""

    norm: Tensor

    def __call__(
        self, parameters: list[Tensor], max_norm: float, **kwargs
    ) -> Tensor:
        clip_grads_with_norm_(
            parameters, max_norm, self.norm, kwargs.get('foreach')
        )
        return self.norm


@HOOKS.register_module()
class FiniteHook(Hook):
    """Stops, or skips, where a loss or a gradient is not finite.

    The weights are not updated with such a gradient. In float16 a gradient
    may overflow now and then: there the loss scaler skips the step, and the
    run stops when it has no scale left.

    Args:
        max_skipped: How many batches in a row are skipped; 0 stops at the
            first.
    """

    def __init__(self, max_skipped: int = 0) -> None:
        self.max_skipped = max_skipped
        self.skipped = 0  # in all
        self._in_a_row = 0
        self._loss_is_bad = False
        self._batch: object = None
        self._parts: dict[str, Tensor] = {}
        self._buffers: list[tuple[Tensor, Tensor]] = []

    def before_train(self, runner: Runner) -> None:
        """Watch the losses and the optimizer."""
        model = unwrap(runner.model)
        parse = getattr(model, 'parse_losses', None)
        if parse is not None:

            def parse_losses(losses: dict) -> tuple:
                loss, self._parts = parse(losses)
                return loss, self._parts

            model.parse_losses = parse_losses
        for wrapper in wrappers_of(runner):
            self._watch(runner, wrapper)

    def _watch(self, runner: Runner, wrapper: OptimWrapper) -> None:
        backward, step = wrapper.backward, wrapper.step

        def watched_backward(loss: Tensor, **kwargs) -> None:
            backward(loss, **kwargs)
            if not loss.isfinite().all():
                self._loss_is_bad = True
                if not runner.distributed and not self.max_skipped:
                    self._stop(runner, wrapper, 'the loss is not finite')

        wrapper.backward = watched_backward
        wrapper.step = self._watched_step(runner, wrapper, step)

    def _watched_step(
        self, runner: Runner, wrapper: OptimWrapper, step: Callable
    ) -> Callable:
        scaler = getattr(wrapper, 'loss_scaler', None)
        if getattr(wrapper, 'cast_dtype', None) is torch.bfloat16:
            scaler = None  # its range is that of float32, nothing overflows
        if scaler is None and (
            getattr(wrapper, 'clip_func', None) is clip_grad_norm_
        ):
            # One norm serves the check and the clipping.
            wrapper.clip_func = _ClipByKnownNorm()

        def watched_step(**kwargs) -> None:
            bad = self._loss_is_bad or (
                scaler is None and not self._gradients_are_finite(wrapper)
            )
            self._loss_is_bad = False
            if self._any_process(runner, bad):
                self._refuse(runner, wrapper)
                return
            self._in_a_row = 0
            step(**kwargs)
            if scaler is not None and scaler.get_scale() < 1:
                self._stop(
                    runner,
                    wrapper,
                    'gradients overflow with every loss scale down to 1',
                )

        # What schedulers look for, to see that steps are counted.
        watched_step._with_counter = True
        return watched_step

    @staticmethod
    def _gradients_are_finite(wrapper: OptimWrapper) -> bool:
        gradients, norm = gradients_of(wrapper), None
        clip = getattr(wrapper, 'clip_func', None)
        if isinstance(clip, _ClipByKnownNorm):
            kind = wrapper.clip_grad_kwargs.get('norm_type', 2.0)
            norm = clip.norm = get_total_norm(gradients, kind)
        return all_finite(gradients, norm)

    def before_train_iter(
        self,
        runner: Runner,
        batch_idx: int,  # noqa: ARG002
        data_batch: object = None,
    ) -> None:
        """Remember the batch, and what a skipped one must not change."""
        self._batch = data_batch
        if self.max_skipped:
            self._buffers = [
                (buffer, buffer.clone())
                for buffer in unwrap(runner.model).buffers()
                if buffer.is_floating_point()
            ]

    def after_train(self, runner: Runner) -> None:
        """Say how many were skipped."""
        if self.skipped:
            runner.logger.warning(
                f'{self.skipped} batches were skipped because a loss or a '
                'gradient was not finite; the log names them'
            )

    @staticmethod
    def _any_process(runner: Runner, bad: bool) -> bool:
        if not runner.distributed:
            return bad
        flag = torch.tensor(int(bad), device=get_comm_device())
        all_reduce(flag, 'max')
        return bool(flag)

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
            f'{name} {float(value.detach()):.4g}'
            for name, value in self._parts.items()
        )
        rates = sorted({g['lr'] for g in wrapper.optimizer.param_groups})
        shown = f'{rates[0]:.4g}'
        if len(rates) > 1:
            shown += f' to {rates[-1]:.4g}'
        names = ', '.join(file_names(self._batch)) or 'not known'
        return (
            f'Loss parts: {parts or "not known"}. Learning rate: {shown}. '
            f'Files: {names}'
        )

    def _stop(self, runner: Runner, wrapper: OptimWrapper, what: str) -> None:
        facts = self._facts(wrapper)
        place = first_bad_place(unwrap(runner.model), self._batch, wrapper)
        raise FloatingPointError(
            f'iteration {runner.iter + 1}: {what}. Place: {place}. {facts}. '
            f'{_ADVICE}. To go on over single batches: '
            "default_hooks.finite=dict(type='mmvit.FiniteHook', "
            'max_skipped=N)'
        )
