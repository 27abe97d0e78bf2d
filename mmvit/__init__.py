"""MMViT: vision-transformer backbones for dense prediction.

Importing it loads neither torch nor mmengine. It checks the versions that are
installed and prepares what other libraries need when they are imported. The
names below are imported when they are first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from .names import list_backbones, list_models
from .on_import import prepare
from .stack import check_stack
from .version import __version__

if TYPE_CHECKING:
    from . import registry
    from .apis.inferencer import Inferencer
    from .apis.models import get_backbone, get_model

check_stack()
prepare()

__all__ = [
    'Inferencer',
    '__version__',
    'get_backbone',
    'get_model',
    'list_backbones',
    'list_models',
    'registry',
]
_LATER = {
    'Inferencer': 'mmvit.apis.inferencer',
    'get_backbone': 'mmvit.apis.models',
    'get_model': 'mmvit.apis.models',
}


def __getattr__(name: str) -> Any:
    if name == 'registry':
        return importlib.import_module('.registry', __name__)
    if name in _LATER:
        return getattr(importlib.import_module(_LATER[name]), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
