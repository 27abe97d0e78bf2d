"""Running a training or a test, with guards."""

from . import guards
from .draw_hook import DrawHook
from .guards import *  # noqa: F403
from .runner import GuardedRunner

__all__ = ['DrawHook', 'GuardedRunner', *guards.__all__]
