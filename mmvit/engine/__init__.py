from .hooks import (
    CheckClassesHook,
    CheckWeightsHook,
    DrawHook,
    SafeCheckpointHook,
)
from .runner import GuardedRunner

__all__ = [
    'CheckClassesHook',
    'CheckWeightsHook',
    'DrawHook',
    'GuardedRunner',
    'SafeCheckpointHook',
]
