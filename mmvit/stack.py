"""The packages that MMViT stands on, and the check that they are there."""

import importlib
import re
from importlib import metadata
from typing import NamedTuple


class StackError(RuntimeError):
    """The installed packages cannot carry MMViT.

    Not an ImportError: OpenMMLab's registries swallow those while they look
    for ``mmvit.registry``, and the user would only read that ``mmvit.PVT`` is
    not registered.
    """


class Requirement(NamedTuple):
    """A package by its import name.

    Args:
        module: Name to import.
        distributions: Names it is published under, ours first.
        low: Lowest version accepted.
        below: First version refused.
        install: Arguments of ``pip install`` that mend it.
        optional: Whether MMViT works without it.
    """

    module: str
    distributions: tuple[str, ...]
    low: str
    below: str
    install: str
    optional: bool = False


_MMCV_INSTALL = '--no-build-isolation --no-cache-dir onedl-mmcv==2.3.6'

# The onedl-* packages are what is tested; the lower bounds admit the classic
# distributions, which have the same public interface.
REQUIREMENTS = (
    Requirement('torch', ('torch',), '2.6', '2.15', 'torch==2.14.1'),
    Requirement(
        'mmengine',
        ('onedl-mmengine', 'mmengine'),
        '0.10.7',
        '0.11',
        'onedl-mmengine==0.10.12',
    ),
    Requirement(
        'mmcv',
        ('onedl-mmcv', 'mmcv', 'mmcv-lite'),
        '2.1',
        '2.4',
        _MMCV_INSTALL,
    ),
    Requirement(
        'mmdet',
        ('onedl-mmdetection', 'mmdet'),
        '3.3',
        '3.6',
        '--no-build-isolation onedl-mmdetection==3.5.1',
        True,
    ),
    Requirement(
        'mmseg',
        ('onedl-mmsegmentation', 'mmsegmentation'),
        '1.2.2',
        '1.5',
        '--no-build-isolation onedl-mmsegmentation==1.4.2',
        True,
    ),
    Requirement(
        'mmpretrain',
        ('onedl-mmpretrain', 'mmpretrain'),
        '1.2',
        '1.4',
        '--no-build-isolation onedl-mmpretrain==1.3.6',
        True,
    ),
)


def installed_version(requirement: Requirement) -> str | None:
    """Return the installed version of a requirement, None without one."""
    for name in requirement.distributions:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r'\d+', version)[:3])


def check_stack() -> None:
    """Check versions, and that mmcv's compiled operators load.

    Raises:
        StackError: If a package is missing, is of a version out of range, or
            if mmcv has no operators. The message holds the command that
            mends it.
    """
    for requirement in REQUIREMENTS:
        version = installed_version(requirement)
        wanted = (
            f'{requirement.module} >= {requirement.low}, < {requirement.below}'
        )
        cure = f'Run: pip install {requirement.install}'
        if version is None:
            if requirement.optional:
                continue
            raise StackError(
                f'MMViT needs {wanted}, and none is installed. {cure}'
            )
        if not (
            _numbers(requirement.low)
            <= _numbers(version)
            < _numbers(requirement.below)
        ):
            raise StackError(
                f'MMViT needs {wanted}, but {version} is installed. {cure}'
            )
    try:
        importlib.import_module('mmcv')
    except ImportError as error:
        raise StackError(
            f'mmcv does not import ({error}). If it misses libGL, run: pip '
            'install --force-reinstall --no-deps opencv-python-headless'
        ) from error
    try:
        importlib.import_module('mmcv._ext')
    except ImportError as error:
        raise StackError(
            'mmcv is installed without operators that fit the installed '
            f'PyTorch ({error}). They are compiled from source, with torch '
            'already there and build isolation off, which takes about ten '
            'minutes. Run: pip install ninja psutil setuptools wheel && '
            f'pip install --force-reinstall --no-deps {_MMCV_INSTALL}'
        ) from error
