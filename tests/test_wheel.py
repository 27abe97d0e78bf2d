"""The built package, used in an empty folder, far from the repository."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.helpers import clean_environment

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel holds."""
    folder = tmp_path_factory.mktemp('wheel')
    source = folder / 'source'
    # Building in the repository would leave files there.
    for name in ('mmvit', 'configs', 'tools'):
        shutil.copytree(
            ROOT / name,
            source / name,
            ignore=shutil.ignore_patterns('.mim', '__pycache__'),
        )
    for name in ('setup.py', 'README.md', 'model-index.yml'):
        shutil.copy(ROOT / name, source)
    subprocess.run(
        [
            *(sys.executable, '-m', 'pip', 'wheel', '-q', '--no-deps'),
            # Isolation would download setuptools.
            *('--no-build-isolation', '-w', str(folder), str(source)),
        ],
        check=True,
    )
    (wheel,) = folder.glob('mmvit-*.whl')
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder / 'site')
    return folder / 'site'


def run(site: Path, folder: Path, *args: str) -> str:
    environment = clean_environment(PYTHONPATH=str(site))
    done = subprocess.run(
        [sys.executable, *args],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
def test_a_config_and_its_child(site: Path, tmp_path: Path):
    (tmp_path / 'child.py').write_text(
        "_base_ = 'mmvit::pvt/retinanet_pvt-t_fpn_1x_coco.py'\n"
        "model = dict(backbone=dict(arch='small'))\n"
    )
    code = """
import mmvit, torch
print(mmvit.__file__, len(mmvit.list_models()) > 200)
with torch.device('meta'):
    for path in (
        'child.py',
        'mmvit::hlg/pup_hlg-s_8xb2-160k_ade20k-512x512.py',
        'pvt-t_8xb128-300e_in1k',
    ):
        model = mmvit.get_model(path)
        print(type(model).__name__, type(model.backbone).__name__)
"""
    (tmp_path / 'script.py').write_text(code)
    lines = run(site, tmp_path, 'script.py').splitlines()
    assert lines[0].startswith(str(site)) and lines[0].endswith(' True')
    assert lines[-3:] == [
        'RetinaNet PVT',
        'EncoderDecoder HLGTransformer',
        'ImageClassifier PVT',
    ]


@pytest.mark.slow
def test_a_tool(site: Path, tmp_path: Path):
    out = run(
        *(site, tmp_path, str(site / 'mmvit/.mim/tools/train.py'), '--help')
    )
    assert 'examples:' in out
    out = run(
        *(site, tmp_path),
        str(site / 'mmvit/.mim/tools/analysis_tools/get_flops.py'),
        *('mmvit::pvt/retinanet_pvt-t_fpn_1x_coco.py', '--shape', '64', '64'),
    )
    assert 'backbone' in out
    out = run(site, tmp_path, '-m', 'mmvit.checkpoints.zoo')
    assert 'pvt-s_in1k' in out
