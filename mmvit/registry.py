"""Registries of scope ``mmvit``.

Each is a child of mmengine's and imports its modules when it is first asked,
so that ``type='mmvit.PVT'`` works from a config of any OpenMMLab library
without ``custom_imports``.
"""

import mmengine.registry as root
from mmengine.registry import Registry

from .stack import check_mmcv

# Before anything of ours needs it: the error names the cure.
check_mmcv()


def _child(parent: Registry, folder: str) -> Registry:
    return Registry(
        parent.name, parent=parent, scope='mmvit', locations=[folder]
    )


MODELS = _child(root.MODELS, 'mmvit.models')
DATA_SAMPLERS = _child(root.DATA_SAMPLERS, 'mmvit.engine')
HOOKS = _child(root.HOOKS, 'mmvit.engine')
LOOPS = _child(root.LOOPS, 'mmvit.engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child(
    root.OPTIM_WRAPPER_CONSTRUCTORS, 'mmvit.engine'
)
RUNNERS = _child(root.RUNNERS, 'mmvit.engine')
TRANSFORMS = _child(root.TRANSFORMS, 'mmvit.datasets')

__all__ = [
    'DATA_SAMPLERS',
    'HOOKS',
    'LOOPS',
    'MODELS',
    'OPTIM_WRAPPER_CONSTRUCTORS',
    'RUNNERS',
    'TRANSFORMS',
]
