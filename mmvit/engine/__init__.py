"""Running a training or a test, with guards."""

from .draw_hook import DrawHook
from .guards import (
    GUARDS,
    CheckDataHook,
    CheckWeightsHook,
    ExactResumeHook,
    FiniteHook,
    MissedValidationHook,
    SafeCheckpointHook,
    StopOnSignalHook,
)
from .runner import GuardedRunner

__all__ = [
    'GUARDS',
    'CheckDataHook',
    'CheckWeightsHook',
    'DrawHook',
    'ExactResumeHook',
    'FiniteHook',
    'GuardedRunner',
    'MissedValidationHook',
    'SafeCheckpointHook',
    'StopOnSignalHook',
]
