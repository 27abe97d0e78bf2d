"""The check of the installed packages, and what it tells to install."""

import re
from importlib import metadata
from pathlib import Path

import pytest

from mmvit import stack
from mmvit.stack import REQUIREMENTS, StackError, check_stack
from tests.support.helpers import run_python

ROOT = Path(__file__).resolve().parents[1]
PINNED = dict(
    line.split('==')
    for line in (ROOT / 'requirements.txt').read_text().splitlines()
    if line and not line.startswith('#')
)
CLASSIC = {
    'torch': '2.6.0',
    'mmengine': '0.10.7',
    'mmcv': '2.1.0',
    'mmdet': '3.3.0',
    'mmsegmentation': '1.2.2',
    'mmpretrain': '1.2.0',
}


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
    'version', ['2.11.0+cu130', '2.11.0a0+git1234', '2.6.1', '2.11.0.post1']
)
def test_spellings_of_versions(installed, version):
    installed({**PINNED, 'torch': version})
    check_stack()


@pytest.mark.parametrize(
    ('package', 'version'),
    [
        ('torch', '2.5.1'),
        ('torch', '2.12.0'),
        ('torch', '2.13.0+cpu'),
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


@pytest.mark.parametrize(
    'message',
    ["No module named 'mmcv._ext'", 'mmcv/_ext.so: undefined symbol: _ZN2'],
)
def test_mmcv_without_operators(imports, message):
    imports('mmcv._ext', message)
    with pytest.raises(StackError) as error:
        check_stack()
    text = str(error.value)
    assert message in text
    command = text.partition('Run: ')[2]
    for part in (
        '--no-build-isolation',
        '--no-cache-dir',
        '--force-reinstall',
        f'onedl-mmcv=={PINNED["onedl-mmcv"]}',
        'ninja',
    ):
        assert part in command


def test_opencv_without_its_library(imports):
    imports('mmcv', 'libGL.so.1: cannot open shared object file')
    with pytest.raises(StackError, match='opencv-python-headless') as error:
        check_stack()
    assert 'libGL.so.1' in str(error.value)
    assert 'operators' not in str(error.value)


def test_commands_install_what_is_tested():
    for requirement in REQUIREMENTS:
        package, version = re.search(
            r'([\w-]+)==([\d.]+)$', requirement.install
        ).groups()
        assert package == requirement.distributions[0]
        assert PINNED[package] == version
        # Only torch and mmengine are published as wheels.
        isolated = requirement.module in ('torch', 'mmengine')
        assert ('--no-build-isolation' in requirement.install) != isolated


def test_setup_asks_for_the_same_torch():
    (torch,) = [req for req in REQUIREMENTS if req.module == 'torch']
    assert f"'torch>={torch.low},<{torch.below}'" in (
        (ROOT / 'setup.py').read_text()
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
