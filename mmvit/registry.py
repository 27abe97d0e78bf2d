"""Registries of scope ``mmvit``.

Each is a child of mmengine's and imports its modules when it is first asked,
so that ``type='mmvit.PVT'`` works from a config of any OpenMMLab library
without ``custom_imports``.
"""

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import RUNNERS as MMENGINE_RUNNERS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import Registry

from .stack import check_mmcv

# Before anything of ours needs it: the error names the cure.
check_mmcv()

MODELS = Registry(
    'model', parent=MMENGINE_MODELS, scope='mmvit', locations=['mmvit.models']
)
DATA_SAMPLERS = Registry(
    'data sampler',
    parent=MMENGINE_DATA_SAMPLERS,
    scope='mmvit',
    locations=['mmvit.engine'],
)
HOOKS = Registry(
    'hook', parent=MMENGINE_HOOKS, scope='mmvit', locations=['mmvit.engine']
)
RUNNERS = Registry(
    'runner',
    parent=MMENGINE_RUNNERS,
    scope='mmvit',
    locations=['mmvit.engine'],
)
TRANSFORMS = Registry(
    'transform',
    parent=MMENGINE_TRANSFORMS,
    scope='mmvit',
    locations=['mmvit.datasets'],
)

__all__ = [
    'DATA_SAMPLERS',
    'HOOKS',
    'MODELS',
    'RUNNERS',
    'TRANSFORMS',
]
