from .hooks import (
    CheckClassesHook,
    CheckWeightsHook,
    DrawHook,
    ExactResumeHook,
    FiniteHook,
    MissedValidationHook,
    SafeCheckpointHook,
    StopOnSignalHook,
)
from .runner import GuardedRunner

__all__ = [
    'CheckClassesHook',
    'CheckWeightsHook',
    'DrawHook',
    'ExactResumeHook',
    'FiniteHook',
    'GuardedRunner',
    'MissedValidationHook',
    'SafeCheckpointHook',
    'StopOnSignalHook',
]
