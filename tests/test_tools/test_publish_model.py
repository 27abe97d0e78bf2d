"""tools/model_converters/publish_model.py on the checkpoint of a run."""

import hashlib
from pathlib import Path

import pytest
import torch

from tests.support.helpers import load_tool
from tests.support.toy import toy_runner

tool = load_tool('model_converters/publish_model')


@pytest.fixture
def trained(tmp_path: Path, fresh_runs, no_sync) -> Path:
    """Checkpoint of a short training."""
    toy_runner(tmp_path / 'run', epochs=1).train()
    return tmp_path / 'run/epoch_1.pth'


def test_weights_and_origin_remain(trained, tmp_path, capsys):
    config = 'configs/quickstart/pvt-nano_1xb32-15e_digit-scenes-64x64.py'
    capsys.readouterr()
    out = tmp_path / 'new/toy.pth'
    tool.main([str(trained), str(out), '--config', config])
    (path,) = out.parent.iterdir()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.name == f'toy-{digest[:8]}.pth'
    assert f'SHA-256: {digest}' in capsys.readouterr().out
    # Nothing in it has to be executed.
    found = torch.load(path, weights_only=True)
    assert found.keys() == {'state_dict', 'meta'}
    source = torch.load(trained, weights_only=False)
    torch.testing.assert_close(found['state_dict'], source['state_dict'])
    meta = found['meta']
    assert meta['epoch'] == 1 and meta['published_from'] == 'run/epoch_1.pth'
    assert "type='mmvit.PVT'" in meta['cfg']
    assert {'mmvit_version', 'torch_version'} <= meta.keys()


def test_another_ending_is_refused(trained, capsys):
    with pytest.raises(SystemExit):
        tool.main([str(trained), 'out.pt'])
    assert 'must end with .pth' in capsys.readouterr().err
