"""The packages that MMViT stands on, and the check that they are there.

The check reads versions only: it imports none of the packages.
"""

import importlib
import re
from importlib import metadata
from typing import NamedTuple

# mmcv compiles its operators where it sees the installed torch. Its sources do
# not compile with the headers of later versions.
COMPILE_MMCV = (
    "pip install ninja psutil setuptools wheel 'torch<2.12' torchvision && "
    'pip install --no-build-isolation --no-cache-dir --force-reinstall '
    '--no-deps onedl-mmcv==2.3.6'
)


class StackError(RuntimeError):
    """The installed packages cannot carry MMViT.

    Not an ImportError: OpenMMLab's registries swallow those while they look
    for ``mmvit.registry``, and the user would only read that ``mmvit.PVT`` is
    not registered.
    """


class Requirement(NamedTuple):
    """A package and its versions from `low` on, `below` excluded."""

    module: str  # what is imported
    tested: str  # the tested release, as pip takes it
    low: str
    below: str
    others: str = ''  # other distributions of it, with spaces between them
    optional: bool = False  # whether MMViT works without it

    @property
    def version(self) -> str | None:
        """The installed version, None without one."""
        for name in (self.tested.partition('==')[0], *self.others.split()):
            try:
                return metadata.version(name)
            except metadata.PackageNotFoundError:
                continue
        return None


# The lower bounds admit OpenMMLab's own releases.
REQUIREMENTS = (
    Requirement('torch', 'torch==2.14.1', '2.6', '2.15'),
    Requirement('torchvision', 'torchvision==0.29.1', '0.21', '0.30'),
    Requirement(
        'mmengine', 'onedl-mmengine==0.10.12', '0.10.7', '0.11', 'mmengine'
    ),
    Requirement('mmcv', 'onedl-mmcv==2.3.6', '2.1', '2.4', 'mmcv'),
    Requirement(
        'mmdet', 'onedl-mmdetection==3.5.1', '3.3', '3.6', 'mmdet', True
    ),
    Requirement(
        'mmseg',
        'onedl-mmsegmentation==1.4.2',
        '1.2.2',
        '1.5',
        'mmsegmentation',
        True,
    ),
    Requirement(
        'mmpretrain',
        'onedl-mmpretrain==1.3.6',
        '1.2',
        '1.4',
        'mmpretrain',
        True,
    ),
)

# OpenMMLab's own releases, below the first version here, refuse mmcv from the
# second on when they are imported.
_MMCV_CEILINGS = {'mmdet': ('3.4', '2.2'), 'mmseg': ('1.3', '2.2')}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r'\d+', version)[:3])


def check_stack() -> None:
    """Check that the packages are installed in versions that work.

    Raises:
        StackError: If a package is missing or its version is out of range.
            The message holds the command that mends it.
    """
    for needed in REQUIREMENTS:
        version, low, below = needed.version, needed.low, needed.below
        if version is None and needed.optional:
            continue
        if version is None or not (
            _numbers(low) <= _numbers(version) < _numbers(below)
        ):
            found = f'{version} is' if version else 'none is'
            raise StackError(
                f'MMViT needs {needed.module} >= {low}, < {below}, but '
                f'{found} installed. Run: pip install {needed.tested}'
            )
    _check_pairs({r.module: r for r in REQUIREMENTS})


def _check_pairs(requirements: dict[str, Requirement]) -> None:
    """Check what the packages demand of each other.

    Raises:
        StackError: If two of them do not go together.
    """
    mmcv = requirements['mmcv']
    for name, (below, ceiling) in _MMCV_CEILINGS.items():
        library = requirements[name]
        old = library.version and _numbers(library.version) < _numbers(below)
        if old and _numbers(mmcv.version) >= _numbers(ceiling):
            raise StackError(
                f'{name} {library.version} refuses mmcv from {ceiling} on, '
                f'and {mmcv.version} is installed. Run: pip install '
                f'{library.tested}'
            )
    try:
        metadata.version('mmcv-lite')
    except metadata.PackageNotFoundError:
        return
    raise StackError(
        'mmcv-lite, which lacks the operators, has the same import name as '
        f'mmcv. Run: pip uninstall -y mmcv-lite && pip install '
        f'--force-reinstall --no-deps {mmcv.tested}'
    )


def check_mmcv() -> None:
    """Check that mmcv imports: its OpenCV may lack a system library.

    Raises:
        StackError: If it does not; the message holds the cure.
    """
    try:
        importlib.import_module('mmcv')
    except ImportError as error:
        raise StackError(
            f'mmcv does not import ({error}). If it misses libGL, run: pip '
            'install --force-reinstall --no-deps opencv-python-headless'
        ) from error
