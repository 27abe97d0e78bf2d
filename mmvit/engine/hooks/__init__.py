from .check_classes_hook import CheckClassesHook
from .check_weights_hook import CheckWeightsHook
from .draw_hook import DrawHook
from .safe_checkpoint_hook import SafeCheckpointHook

__all__ = [
    'CheckClassesHook',
    'CheckWeightsHook',
    'DrawHook',
    'SafeCheckpointHook',
]
