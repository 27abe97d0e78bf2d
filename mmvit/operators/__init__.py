"""mmcv's operators, served by torchvision's prebuilt kernels.

All of `mmcv.ops` asks one compiled module, `mmcv._ext`, for functions by
name. Where it is missing, or was compiled for another torch, `mmvit.on_import`
makes one of the functions in these files: on CPUs and GPUs, without a
compiler. A compiled module that loads is always preferred.

The functions take mmcv's arguments and write into the tensors that they are
given. An underscore marks what only mmcv's kernels use. Where torchvision has
no kernel for half precision, or would round box coordinates to it, they
compute in float32.
"""

import importlib
from collections.abc import Callable
from inspect import isfunction
from types import ModuleType

import torchvision

from mmvit.stack import COMPILE_MMCV

from . import boxes, deform_attention, deform_conv, focal_loss, regions


class MissingOperatorError(NotImplementedError):
    """An operator of mmcv that only its compiled module has."""


def _missing(name: str) -> Callable:
    # Python looks for names such as __path__ in every module.
    if name.startswith('__'):
        raise AttributeError(name)

    def refuse(*_: object, **__: object) -> None:
        raise MissingOperatorError(
            f"mmcv's operator {name!r} is not among those that MMViT serves "
            f'with torchvision. To compile all of them: {COMPILE_MMCV}'
        )

    return refuse


def fill(module: ModuleType) -> None:
    """Make an empty module what mmcv expects `mmcv._ext` to be.

    Operators that are not served can be asked for, and raise
    `MissingOperatorError` when they are called.
    """
    for part in (boxes, deform_attention, deform_conv, focal_loss, regions):
        for name, value in vars(part).items():
            is_own = getattr(value, '__module__', None) == part.__name__
            if isfunction(value) and is_own and not name.startswith('_'):
                setattr(module, name, value)
    for name in ('get_compiler_version', 'get_compiling_cuda_version'):
        setattr(module, name, lambda: 'not compiled')
    module.__getattr__ = _missing


def operators_in_use() -> str:
    """Say whose operators `mmcv.ops` calls, for a bug report."""
    module = importlib.import_module('mmcv._ext')
    if getattr(module, '__file__', None):
        return f'compiled ({module.__file__})'
    reason = getattr(module.__loader__, 'error', None)
    text = f'torchvision {torchvision.__version__}'
    if reason is None:
        return text
    first, *_ = str(reason).splitlines()
    return f'{text} (the compiled ones fail: {first})'
