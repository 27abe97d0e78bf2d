"""The packages that MMViT stands on, and the check that they are there.

The check reads versions only: it imports none of the packages.
"""

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


# mmcv compiles its operators where it sees the installed torch. Its sources do
# not compile with the headers of later versions.
COMPILE_MMCV = (
    "pip install ninja psutil setuptools wheel 'torch<2.12' torchvision && "
    'pip install --no-build-isolation --no-cache-dir --force-reinstall '
    '--no-deps onedl-mmcv==2.3.6'
)

# The onedl-* packages are what is tested; the lower bounds admit the classic
# distributions, which have the same public interface.
REQUIREMENTS = (
    Requirement('torch', ('torch',), '2.6', '2.15', 'torch==2.14.1'),
    Requirement(
        'torchvision',
        ('torchvision',),
        '0.21',
        '0.30',
        'torch==2.14.1 torchvision==0.29.1',
    ),
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
        'onedl-mmcv==2.3.6',
    ),
    Requirement(
        'mmdet',
        ('onedl-mmdetection', 'mmdet'),
        '3.3',
        '3.6',
        'onedl-mmdetection==3.5.1',
        True,
    ),
    Requirement(
        'mmseg',
        ('onedl-mmsegmentation', 'mmsegmentation'),
        '1.2.2',
        '1.5',
        'onedl-mmsegmentation==1.4.2',
        True,
    ),
    Requirement(
        'mmpretrain',
        ('onedl-mmpretrain', 'mmpretrain'),
        '1.2',
        '1.4',
        'onedl-mmpretrain==1.3.6',
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
    """Check that the packages are installed in versions that work.

    Raises:
        StackError: If a package is missing or its version is out of range.
            The message holds the command that mends it.
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
