"""The weights of SETR: encoders, mmseg's models, and the authors' own.

All become weights of our segmentors.
"""

from .renaming import Conversion, StateDict, without_prefix
from .setr_mmseg import convert_mmseg
from .setr_released import convert_released
from .vit import convert_encoder


def convert(state_dict: StateDict) -> Conversion:
    """Convert weights by the names that they have."""
    if any(key.startswith('backbone.layers.') for key in state_dict):
        return convert_mmseg(state_dict)
    if any(key.startswith('decode_head.') for key in state_dict):
        return convert_released(state_dict)
    return convert_encoder(without_prefix(state_dict, 'backbone.'))
