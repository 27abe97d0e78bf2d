"""What `import mmvit` prepares for libraries that are imported later.

mmcv's operators and mmengine's config prefixes must be ready before a user's
first import of mmdet. Importing mmcv or mmengine for that would load torch,
so a finder on `sys.meta_path` waits until somebody asks for them.
"""

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec
from types import ModuleType

_PREFIXES = 'mmengine.config.utils'


def add_prefixes(module: ModuleType) -> None:
    """Let mmengine find `mmseg::` and `mmvit::` configs.

    mmengine resolves `mmseg::` through the name of a distribution, and the
    maintained mmsegmentation has another one. The import name serves both.

    Args:
        module: `mmengine.config.utils`.
    """
    module.MODULE2PACKAGE.update(mmseg='mmseg', mmvit='mmvit')


class _AddPrefixes(Loader):
    """Runs `add_prefixes` after the module is loaded."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        add_prefixes(module)


class _Operators(Loader):
    """Loads mmcv's compiled operators, or torchvision's in their place.

    Args:
        compiled: The spec of the compiled module, None if there is none.
    """

    def __init__(self, compiled: ModuleSpec | None) -> None:
        self.compiled = compiled

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:  # noqa: ARG002
        if self.compiled is None:
            return None
        try:
            return module_from_spec(self.compiled)
        except ImportError as error:
            # Compiled for another torch or CUDA: its symbols are not found.
            self.compiled, self.error = None, error
            return None

    def exec_module(self, module: ModuleType) -> None:
        if self.compiled is not None:
            self.compiled.loader.exec_module(module)
            return
        # Heavy, and wanted only where operators are used.
        from mmvit.operators import fill

        fill(module)


class _Finder(MetaPathFinder):
    """Serves the two modules, and leaves all others to Python's finders."""

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if name == 'mmcv._ext':
            compiled = PathFinder.find_spec(name, path, target)
            return ModuleSpec(name, _Operators(compiled))
        if name == _PREFIXES:
            spec = PathFinder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = _AddPrefixes(spec.loader)
            return spec
        return None


def prepare() -> None:
    """Put the finder in place, once, and catch up on what is imported."""
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, _Finder())
    if _PREFIXES in sys.modules:
        add_prefixes(sys.modules[_PREFIXES])
