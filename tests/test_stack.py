"""The check of the installed packages, and what it tells to install."""

import re
import runpy
from importlib import metadata
from pathlib import Path

import pytest
import setuptools

from mmvit import stack
from mmvit.stack import (
    COMPILE_MMCV,
    REQUIREMENTS,
    StackError,
    check_mmcv,
    check_stack,
)
from tests.support.helpers import run_python

ROOT = Path(__file__).resolve().parents[1]
PINNED = dict(
    line.split('==')
    for line in (ROOT / 'requirements.txt').read_text().splitlines()
    if line and not line.startswith('#')
)
CLASSIC = {
    'torch': '2.6.0',
    'torchvision': '0.21.0',
    'mmengine': '0.10.7',
    'mmcv': '2.1.0',
    'mmdet': '3.3.0',
    'mmsegmentation': '1.2.2',
    'mmpretrain': '1.2.0',
}


def numbers(version):
    return tuple(int(part) for part in version.split('.'))


@pytest.fixture
def installed(monkeypatch):
    """Let other packages seem to be installed: {distribution: version}."""

    def install(packages):
        def version(name):
            if name not in packages:
                raise metadata.PackageNotFoundError(name)
            return packages[name]

        monkeypatch.setattr(stack.metadata, 'version', version)

    return install


@pytest.fixture
def imports(monkeypatch):
    """Let a module's import fail with a message."""

    def fail(module, message):
        def import_module(name):
            if name == module:
                raise ImportError(message)

        monkeypatch.setattr(stack.importlib, 'import_module', import_module)

    return fail


def test_this_stack_passes():
    check_stack()


@pytest.mark.parametrize('packages', [PINNED, CLASSIC])
def test_tested_and_classic_packages_pass(installed, packages):
    installed(packages)
    check_stack()


@pytest.mark.parametrize(
    'version', ['2.14.1+cu130', '2.11.0a0+git1234', '2.6.1', '2.11.0.post1']
)
def test_spellings_of_versions(installed, version):
    installed({**PINNED, 'torch': version})
    check_stack()


@pytest.mark.parametrize(
    ('package', 'version'),
    [
        ('torch', '2.5.1'),
        ('torch', '2.15.0'),
        ('torch', '3.0.0+cpu'),
        ('torchvision', '0.20.1'),
        ('onedl-mmengine', '0.11.0rc0'),
        ('onedl-mmengine', '0.10.6'),
        ('onedl-mmcv', '1.7.2'),
        ('onedl-mmdetection', '2.28.2'),
        ('onedl-mmsegmentation', '1.2.1'),
        ('onedl-mmpretrain', '2.0.0'),
    ],
)
def test_versions_out_of_range(installed, package, version):
    installed({**PINNED, package: version})
    with pytest.raises(StackError) as error:
        check_stack()
    text = str(error.value)
    assert f'{version} is installed' in text
    assert re.search(rf'Run: pip install .*{package}==', text)


@pytest.mark.parametrize('library', ['mmdet', 'mmsegmentation'])
def test_mmcv_that_a_library_refuses(installed, library):
    others = dict.fromkeys({'mmdet', 'mmsegmentation'} - {library})
    packages = {**CLASSIC, 'mmcv': '2.2.0'}
    installed({key: packages[key] for key in packages if key not in others})
    with pytest.raises(StackError, match='refuses mmcv from 2.2 on'):
        check_stack()
    installed({**PINNED, 'onedl-mmcv': '2.2.0'})
    check_stack()


def test_mmcv_lite_is_refused(installed):
    packages = {key: CLASSIC[key] for key in CLASSIC if key != 'mmcv'}
    installed({**packages, 'mmcv-lite': '2.1.0'})
    with pytest.raises(StackError, match='none is installed'):
        check_stack()
    # Beside mmcv it has replaced some of its files.
    installed({**CLASSIC, 'mmcv-lite': '2.1.0'})
    with pytest.raises(StackError, match='pip uninstall -y mmcv-lite'):
        check_stack()


@pytest.mark.parametrize('package', ['torch', 'onedl-mmengine', 'onedl-mmcv'])
def test_missing_package(installed, package):
    installed({key: PINNED[key] for key in PINNED if key != package})
    with pytest.raises(StackError, match='none is installed') as error:
        check_stack()
    command = str(error.value).partition('Run: ')[2]
    assert command.startswith('pip install ')
    assert f'{package}=={PINNED[package]}' in command


@pytest.mark.parametrize(
    'package',
    ['onedl-mmdetection', 'onedl-mmsegmentation', 'onedl-mmpretrain'],
)
def test_a_task_may_be_missing(installed, package):
    installed({key: PINNED[key] for key in PINNED if key != package})
    check_stack()


def test_opencv_without_its_library(imports):
    imports('mmcv', 'libGL.so.1: cannot open shared object file')
    with pytest.raises(StackError, match='opencv-python-headless') as error:
        check_mmcv()
    assert 'libGL.so.1' in str(error.value)


def test_commands_install_what_is_tested():
    for requirement in REQUIREMENTS:
        package, version = re.search(
            r'([\w-]+)==([\d.]+)$', requirement.tested
        ).groups()
        assert PINNED[package] == version


def test_the_command_that_compiles_names_the_tested_mmcv():
    assert f'onedl-mmcv=={PINNED["onedl-mmcv"]}' in COMPILE_MMCV
    for part in ('--no-build-isolation', '--no-cache-dir', 'ninja'):
        assert part in COMPILE_MMCV


def test_setup_asks_for_the_same_versions(monkeypatch):
    asked = {}
    monkeypatch.setattr(setuptools, 'setup', asked.update)
    runpy.run_path(str(ROOT / 'setup.py'))
    wanted = [
        *asked['install_requires'],
        *asked['extras_require']['openmmlab'],
    ]
    assert len(wanted) == len(REQUIREMENTS)
    for requirement in REQUIREMENTS:
        name = requirement.tested.partition('==')[0]
        (line,) = [w for w in wanted if re.match(rf'{name}[<>=]', w)]
        # No wider than what is accepted, and the tested version is in it.
        low, below = re.fullmatch(
            rf'{name}>=([\d.]+),<([\d.]+)', line
        ).groups()
        assert below == requirement.below
        assert numbers(requirement.low) <= numbers(low)
        assert numbers(low) <= numbers(PINNED[name]) < numbers(below)
    # An environment with OpenMMLab's own packages is left alone.
    assert not any('mm' in line for line in asked['install_requires'])
    assert set(asked['extras_require']['openmmlab']) <= set(
        asked['extras_require']['tests']
    )


@pytest.mark.slow
def test_registries_do_not_swallow_the_error():
    code = """
from importlib import metadata
version = metadata.version
metadata.version = lambda name: (
    '1.7.2' if name == 'onedl-mmcv' else version(name))
from mmengine.registry import MODELS
MODELS.build(dict(type='mmvit.PVT'))
"""
    done = run_python('-c', code)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith('mmvit.stack.StackError: MMViT needs mmcv >= 2.1')
    assert 'Run: pip install' in last
