"""Published weights under our names, and loading that checks what it does."""

from .guard import guard_loading
from .matching import check_match, load_pretrained
from .published import FAMILIES, Conversion, convert, convert_published
from .reading import (
    read_checkpoint,
    read_state_dict,
    safe_load,
    trust_checkpoint,
)

__all__ = [
    'FAMILIES',
    'Conversion',
    'check_match',
    'convert',
    'convert_published',
    'guard_loading',
    'load_pretrained',
    'read_checkpoint',
    'read_state_dict',
    'safe_load',
    'trust_checkpoint',
]
