"""Every example of docs/en/api.md, as it is written."""

import re
import shutil

import pytest
import torch

from mmvit.apis.config import build_model, load_config
from mmvit.checkpoints import zoo
from tests.support.helpers import ROOT

BLOCK = re.compile(r'^```python\n(.*?)^```', re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_examples(scenes, tmp_path, fresh_runs, monkeypatch, capsys) -> None:
    shutil.copytree(scenes / 'img_dir/val', tmp_path / 'photos')
    weights = tmp_path / 'weights.pth'
    model = build_model(load_config('pvt-t_8xb128-300e_in1k'))
    torch.save(dict(state_dict=model.state_dict()), weights)
    asked = []
    monkeypatch.setattr(
        zoo, 'fetch', lambda name: (asked.append(name), str(weights))[1]
    )
    monkeypatch.chdir(tmp_path)
    page = (ROOT / 'docs/en/api.md').read_text(encoding='utf-8')
    blocks = BLOCK.findall(page)
    assert len(blocks) == 8
    names = {}
    for block in blocks:
        exec(compile(block, 'api.md', 'exec'), names)
    assert asked == ['mmvit://pvt-t_in1k']
    out = capsys.readouterr().out
    assert out.count('photos/val_') >= 6
    assert '(128, 320, 512) (8, 16, 32)' in out
    assert ' backbones\n' in out
    assert names['picture'].ndim == 3
