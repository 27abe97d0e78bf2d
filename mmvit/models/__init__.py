"""Models, registered in the scope `mmvit`."""

from importlib.util import find_spec

from . import backbones, test_time_augs, token_labels
from .backbones import *  # noqa: F403
from .test_time_augs import *  # noqa: F403
from .token_labels import *  # noqa: F403

__all__ = [
    *backbones.__all__,
    *test_time_augs.__all__,
    *token_labels.__all__,
]

# Decode heads need mmseg's base class, detection and classification do not.
if find_spec('mmseg') is not None:
    from . import decode_heads
    from .decode_heads import *  # noqa: F403

    __all__ += decode_heads.__all__
