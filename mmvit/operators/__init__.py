"""mmcv's operators, served by torchvision's prebuilt kernels.

All of `mmcv.ops` asks one compiled module, `mmcv._ext`, for functions by
name. Where that module is missing, or was compiled for another torch,
`mmvit.on_import` makes one of the functions here: no compiler is needed, on
CPUs and GPUs. A compiled module that loads is always preferred.

Functions take the arguments of mmcv's own and write into the tensors that
they are given. Kernels that torchvision has in float32 and float64 only, or
that would round box coordinates to half precision, compute in float32.
"""

import importlib
from collections.abc import Callable
from types import ModuleType

import torchvision

from mmvit.stack import COMPILE_MMCV

from .boxes import nms, softnms
from .deform_attention import ms_deform_attn_backward, ms_deform_attn_forward
from .deform_conv import (
    deform_conv_backward_input,
    deform_conv_backward_parameters,
    deform_conv_forward,
    modulated_deform_conv_backward,
    modulated_deform_conv_forward,
)
from .focal_loss import (
    sigmoid_focal_loss_backward,
    sigmoid_focal_loss_forward,
)
from .regions import (
    roi_align_backward,
    roi_align_forward,
    roi_pool_backward,
    roi_pool_forward,
)

FUNCTIONS = (
    deform_conv_backward_input,
    deform_conv_backward_parameters,
    deform_conv_forward,
    modulated_deform_conv_backward,
    modulated_deform_conv_forward,
    ms_deform_attn_backward,
    ms_deform_attn_forward,
    nms,
    roi_align_backward,
    roi_align_forward,
    roi_pool_backward,
    roi_pool_forward,
    sigmoid_focal_loss_backward,
    sigmoid_focal_loss_forward,
    softnms,
)


class MissingOperatorError(NotImplementedError):
    """An operator of mmcv that only its compiled module has."""


def _missing(name: str) -> Callable:
    def refuse(*_: object, **__: object) -> None:
        raise MissingOperatorError(
            f"mmcv's operator {name!r} is not among those that MMViT serves "
            f'with torchvision. To compile all of them: {COMPILE_MMCV}'
        )

    return refuse


def fill(module: ModuleType) -> None:
    """Make a module what mmcv expects `mmcv._ext` to be.

    Operators that are not served can be asked for, and raise
    `MissingOperatorError` when they are called.

    Args:
        module: The empty module.
    """
    for function in FUNCTIONS:
        setattr(module, function.__name__, function)
    for name in ('get_compiler_version', 'get_compiling_cuda_version'):
        setattr(module, name, lambda: 'not compiled')

    def missing(name: str) -> Callable:
        # Python looks for names such as __path__ in every module.
        if name.startswith('__'):
            raise AttributeError(name)
        return _missing(name)

    module.__getattr__ = missing


def operators_in_use() -> str:
    """Say whose operators `mmcv.ops` calls, for a bug report."""
    module = importlib.import_module('mmcv._ext')
    if getattr(module, '__file__', None):
        return f'compiled ({module.__file__})'
    reason = getattr(module.__loader__, 'error', None)
    text = f'torchvision {torchvision.__version__}'
    return f'{text} (the compiled ones fail: {reason})' if reason else text
