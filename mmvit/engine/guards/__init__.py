"""Guards: what can go wrong in a run, a file each."""

from .checkpoints import SafeCheckpointHook
from .data_samples import CheckDataHook
from .finite import FiniteHook
from .missed_validation import MissedValidationHook
from .resuming import ExactResumeHook
from .signals import StopOnSignalHook
from .weights import CheckWeightsHook

# The hooks that are on unless a config sets them to None under
# `default_hooks`. docs/en/guards.md has the same table.
GUARDS = {
    'check_data': dict(type='mmvit.CheckDataHook'),
    'check_weights': dict(type='mmvit.CheckWeightsHook'),
    'exact_resume': dict(type='mmvit.ExactResumeHook'),
    'finite': dict(type='mmvit.FiniteHook'),
    'stop_on_signal': dict(type='mmvit.StopOnSignalHook'),
    # After it, so that a signal stops this validation, too
    'missed_validation': dict(type='mmvit.MissedValidationHook'),
}

__all__ = [
    'GUARDS',
    'CheckDataHook',
    'CheckWeightsHook',
    'ExactResumeHook',
    'FiniteHook',
    'MissedValidationHook',
    'SafeCheckpointHook',
    'StopOnSignalHook',
]
