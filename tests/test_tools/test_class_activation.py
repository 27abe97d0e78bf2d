"""tools/visualization/class_activation.py on models of each task."""

from types import SimpleNamespace

import cv2
import pytest
import torch

from mmvit.apis.config import build_model
from tests.support.helpers import load_tool
from tests.support.scenes import SIDE
from tests.support.tiny import tiny_config

tool = load_tool('visualization/class_activation')


@pytest.mark.parametrize('task', ['cls', 'det', 'ins', 'seg'])
def test_a_map_for_each_task(task, trained, scenes, tmp_path, capsys):
    pytest.importorskip('pytorch_grad_cam')
    config, checkpoint = trained(task)
    args = [
        *(config, checkpoint, str(scenes / 'img_dir/val/val_0.jpg')),
        *('--device', 'cpu'),
        *('--out-dir', str(tmp_path / 'cam'), '--score-thr', '0'),
    ]
    tool.main(args)
    path = capsys.readouterr().out.splitlines()[-1]
    picture = cv2.imread(path).astype(int)
    assert picture.shape == (SIDE, 2 * SIDE, 3)
    assert abs(picture[:, :SIDE] - picture[:, SIDE:]).mean() > 5
    with pytest.raises(SystemExit, match='no class cat; there are: '):
        tool.main([*args, '--class-name', 'cat'])


@pytest.mark.parametrize('task', ['cls', 'seg'])
def test_evidence_is_the_models_own(task):
    model = build_model(tiny_config(task, 'nowhere')).eval()
    inputs = torch.randn(1, 3, SIDE, SIDE)
    logits = model(inputs, mode='tensor')[0]
    (found,) = tool.Evidence(model, None, len(logits), 0.3)(inputs)
    if task == 'seg':
        owner = logits.argmax(0)
        wanted = [x[owner == c].sum() for c, x in enumerate(logits)]
        logits = torch.stack(wanted)
    torch.testing.assert_close(found, logits)


def test_blocks_that_suit_the_model():
    model = build_model(tiny_config('cls', 'nowhere'))
    stages = model.backbone.stages
    # After the last block, only the class token is used.
    assert tool.choose_blocks(model, []) == [stages[2].blocks[0]]
    model.backbone.with_cls_token = False
    assert tool.choose_blocks(model, []) == [stages[3].blocks[0]]
    model = build_model(tiny_config('det', 'nowhere'))
    wanted = [stage.blocks[0] for stage in model.backbone.stages]
    assert tool.choose_blocks(model, []) == wanted


def test_rows_of_tokens_become_maps():
    as_map = tool.AsMap([])
    maps = torch.rand(1, 2, 3, 4)
    assert torch.equal(as_map(maps), maps.permute(0, 3, 1, 2))
    as_map._remember(None, (maps, None, None, (2, 3)))
    row = torch.cat([torch.zeros(1, 1, 1, 4), maps.flatten(1, 2)[:, None]], 2)
    assert torch.equal(as_map(row), maps.permute(0, 3, 1, 2))
    assert torch.equal(as_map(maps), maps.permute(0, 3, 1, 2))


def test_what_cannot_be_explained(monkeypatch, trained, tmp_path):
    with pytest.raises(ValueError, match='finds no dog in the image'):
        tool.choose_class(torch.tensor([0.0, 1.0]), ['dog', 'cat'], 'dog')
    assert tool.choose_class(torch.tensor([0.0, 1.0]), ['a', 'b'], None) == 1
    monkeypatch.setattr(tool, 'pytorch_grad_cam', None)
    monkeypatch.setattr(tool, 'parse_args', lambda _: SimpleNamespace())
    with pytest.raises(SystemExit, match='pip install grad-cam'):
        tool.main([])
