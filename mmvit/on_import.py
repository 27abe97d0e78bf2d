"""What `import mmvit` prepares for libraries that are imported later.

mmcv's operators and mmengine's config prefixes must be ready before a user's
first import of mmdet. Importing mmcv or mmengine for that would load torch,
so a finder on `sys.meta_path` waits until somebody asks for them.
"""

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec
from types import ModuleType

from .additions import ADDITIONS

_OPERATORS = 'mmcv._ext'


class _Adding(Loader):
    """Adds to a module after another loader has loaded it."""

    def __init__(
        self, loader: Loader, add: Callable[[ModuleType], None]
    ) -> None:
        self.create_module = loader.create_module
        self._exec_module = loader.exec_module
        self._add = add

    def exec_module(self, module: ModuleType) -> None:
        self._exec_module(module)
        self._add(module)


class _Operators(Loader):
    """Loads mmcv's compiled operators, or ours if these do not work."""

    def __init__(self, compiled: ModuleSpec | None) -> None:
        self.compiled = compiled
        self.error: Exception | None = None

    def create_module(self, _: ModuleSpec) -> ModuleType | None:
        if self.compiled is None:
            return None
        try:
            module = module_from_spec(self.compiled)
            self.compiled.loader.exec_module(module)
            _try_operators(module)
        except Exception as error:
            # Compiled for another torch, they fail now or when they are used.
            self.compiled, self.error = None, error
            return None
        return module

    def exec_module(self, module: ModuleType) -> None:
        if self.compiled is None:
            # It imports torchvision, which not every import of mmvit wants.
            from mmvit.operators import fill

            fill(module)


def _try_operators(module: ModuleType) -> None:
    import torch  # mmcv, which is being imported, needs it anyway

    box = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    module.nms(box, box[:, 2], iou_threshold=0.5, offset=0)


class _Finder(MetaPathFinder):
    """Serves a few modules, and leaves all others to Python's finders."""

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if name != _OPERATORS and name not in ADDITIONS:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if name == _OPERATORS:
            return ModuleSpec(name, _Operators(spec))
        if spec is not None:
            spec.loader = _Adding(spec.loader, ADDITIONS[name])
        return spec


def prepare() -> None:
    """Put the finder in place, once, and catch up on what is imported."""
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, _Finder())
    for name, add in ADDITIONS.items():
        if name in sys.modules:
            add(sys.modules[name])
