"""mmcv.ops with our operators, also where compiled ones are installed."""

import importlib
from types import ModuleType

import pytest

from mmvit.operators import fill

MODULES = (
    'deform_conv',
    'focal_loss',
    'modulated_deform_conv',
    'multi_scale_deform_attn',
    'nms',
    'roi_align',
    'roi_pool',
)


@pytest.fixture
def serve(monkeypatch):
    """Let mmcv.ops call the operators of a module."""

    def use(module):
        for name in MODULES:
            monkeypatch.setattr(
                importlib.import_module(f'mmcv.ops.{name}'),
                'ext_module',
                module,
            )

    return use


@pytest.fixture
def served(serve):
    """Let mmcv.ops call ours."""
    module = ModuleType('ours')
    fill(module)
    serve(module)
    return module
