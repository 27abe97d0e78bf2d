"""MMViT: vision-transformer backbones for dense prediction.

Importing it loads neither torch nor mmengine. It checks the versions that are
installed and prepares what other libraries need when they are imported.
"""

import importlib
from types import ModuleType

from .on_import import prepare
from .stack import check_stack
from .version import __version__

check_stack()
prepare()

__all__ = ['__version__', 'registry']


def __getattr__(name: str) -> ModuleType:
    if name == 'registry':
        return importlib.import_module('.registry', __name__)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
