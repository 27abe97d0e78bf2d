"""Weights: published names to ours, and loading that checks what it does."""

from . import focal, hlg, pvt, scalablevit, setr
from .loading import (
    check_match,
    load_pretrained,
    read_checkpoint,
    read_state_dict,
    safe_load,
    trust_checkpoint,
)

# Each family's `convert` takes a published state dict and returns that of the
# family's ImageNet classifier config; SETR's, those of its segmentors.
FAMILIES = {
    'focal': focal.convert,
    'hlg': hlg.convert,
    'pvt': pvt.convert,
    'scalablevit': scalablevit.convert,
    'setr': setr.convert,
}

__all__ = [
    'FAMILIES',
    'check_match',
    'load_pretrained',
    'read_checkpoint',
    'read_state_dict',
    'safe_load',
    'trust_checkpoint',
]
