"""Running a training or a test, with guards."""

from . import guards
from .draw_hook import DrawHook
from .guards import *  # noqa: F403
from .layer_decay import LayerDecayOptimWrapperConstructor
from .runner import GuardedRunner
from .validation_loss import ValLossLoop

__all__ = [
    'DrawHook',
    'GuardedRunner',
    'LayerDecayOptimWrapperConstructor',
    'ValLossLoop',
    *guards.__all__,
]
