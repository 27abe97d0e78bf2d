from .check_classes_hook import CheckClassesHook
from .check_weights_hook import CheckWeightsHook
from .draw_hook import DrawHook
from .exact_resume_hook import ExactResumeHook
from .finite_hook import FiniteHook
from .missed_validation_hook import MissedValidationHook
from .safe_checkpoint_hook import SafeCheckpointHook
from .stop_on_signal_hook import StopOnSignalHook

__all__ = [
    'CheckClassesHook',
    'CheckWeightsHook',
    'DrawHook',
    'ExactResumeHook',
    'FiniteHook',
    'MissedValidationHook',
    'SafeCheckpointHook',
    'StopOnSignalHook',
]
