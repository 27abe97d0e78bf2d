"""tools/model_converters/convert_checkpoint.py: files in, files out."""

import pytest
import torch

from mmvit.apis.config import build_model, load_config
from mmvit.checkpoints import FAMILIES
from tests.support.helpers import load_tool
from tests.test_checkpoints.test_published.published import (
    pvt_shapes,
    random_weights,
)

CONFIG = 'configs/pvt/pvt-t_8xb128-300e_in1k.py'
tool = load_tool('model_converters/convert_checkpoint')


def test_families_are_those_of_the_package() -> None:
    assert tuple(sorted(FAMILIES)) == tool.FAMILIES


def test_a_published_file_becomes_the_classifier(tmp_path, capsys) -> None:
    src, dst = tmp_path / 'pvt_tiny.pth', tmp_path / 'new/pvt.pth'
    torch.save(random_weights(pvt_shapes('tiny')), src)
    tool.main(['pvt', str(src), str(dst)])
    assert f'every key of {src} placed' in capsys.readouterr().out
    found = torch.load(dst, weights_only=True)
    assert found['meta'] == dict(converted_from='pvt_tiny.pth')
    model = build_model(load_config(CONFIG))
    model.load_state_dict(found['state_dict'])
    with pytest.raises(SystemExit):
        tool.main(['pvt', str(src), str(dst)])
    assert '--force replaces it' in capsys.readouterr().err
    tool.main(['pvt', str(src), str(dst), '--force'])


def test_a_foreign_file_is_not_converted(tmp_path) -> None:
    src, dst = tmp_path / 'resnet.pth', tmp_path / 'out.pth'
    torch.save({'conv1.weight': torch.rand(4, 3, 7, 7)}, src)
    with pytest.raises(SystemExit, match=r'1 of its 1 keys.*conv1'):
        tool.main(['pvt', str(src), str(dst)])
    assert not dst.exists()
