"""tools/dev/gpu_check.py: the parts that a CPU can do."""

import pytest
import torch

from tests.support.helpers import load_tool
from tests.support.tiny import ARCH

gpu_check = load_tool('dev/gpu_check')

ARGUMENTS = ['--device', 'cpu', '--parts', 'correctness', 'operators']


@pytest.fixture(autouse=True)
def tiny_backbone(monkeypatch):
    cfg = dict(type='mmvit.PVT', arch=ARCH)
    monkeypatch.setattr(gpu_check, 'BACKBONES', {'PVT': cfg})


def test_all_checks_pass(capsys):
    assert gpu_check.main(ARGUMENTS) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == 'all checks passed'
    assert sum(line.endswith('| passed') for line in lines) == 6


def test_wrong_values_are_found(capsys, monkeypatch):
    original = gpu_check.outputs_and_gradients

    def wrong(model, image):
        found = original(model, image)
        if image.dtype == torch.float32:
            found[0] = found[0] * 1.5
        return found

    monkeypatch.setattr(gpu_check, 'outputs_and_gradients', wrong)
    assert gpu_check.main(ARGUMENTS) == 1
    out = capsys.readouterr().out
    assert 'correctness | PVT, 224x224' in out
    assert 'FAILED' in out
    assert 'checks failed' in out


def test_speed_is_for_gpus():
    with pytest.raises(SystemExit, match='measures GPUs'):
        gpu_check.main(['--device', 'cpu', '--parts', 'speed'])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_operators_of_a_gpu():
    assert gpu_check.main(['--parts', 'correctness', 'operators']) == 0
