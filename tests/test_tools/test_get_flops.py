"""tools/analysis_tools/get_flops.py on tiny models."""

import json
from pathlib import Path

import cv2
import pytest
from mmengine.config import Config

from mmvit.analysis.flops import count_complexity
from mmvit.apis.config import build_model, load_config
from tests.support.helpers import load_tool
from tests.support.tiny import write_config

get_flops = load_tool('analysis_tools/get_flops')


def test_get_flops_prints_parts_that_add_up(config, capsys) -> None:
    name = config('det')
    assert get_flops.main([name, '--shape', '50', '90', '--json']) == 0
    found = json.loads(capsys.readouterr().out)
    # padded to what the data preprocessor pads to
    assert found['input_shape'] == [64, 96]
    assert list(found['parts']) == ['backbone', 'neck', 'bbox_head']
    for what in ('params', 'multiply_adds'):
        assert found[what] == sum(p[what] for p in found['parts'].values()) > 0
    assert get_flops.main([name, '--shape', '50', '90']) == 0
    text = capsys.readouterr().out
    assert '64 x 96' in text and 'multiply-add is one FLOP' in text
    assert f'{found["params"] / 1e6:.3f} M' in text


def test_get_flops_changes_the_config(config, capsys) -> None:
    name = config('cls')
    totals = []
    for depth in (1, 2):
        options = [f'model.backbone.arch.depths=[1,1,1,{depth}]', '--json']
        assert get_flops.main([name, '--cfg-options', *options]) == 0
        totals.append(json.loads(capsys.readouterr().out)['params'])
    assert totals[1] > totals[0]


PIPELINES = [
    ([dict(type='CenterCrop', crop_size=96)], (96, 96)),
    ([dict(type='CenterCrop', crop_size=(96, 64))], (64, 96)),
    ([dict(type='mmpretrain.ResizeEdge', scale=96)], None),
    ([dict(type='Resize', scale=(96, 64))], (64, 96)),
    ([dict(type='Resize', scale=(96, 64), keep_ratio=True)], None),
    (
        [
            dict(type='Resize', scale=(96, 64), keep_ratio=True),
            dict(type='Pad', size=(128, 64)),
        ],
        (64, 128),
    ),
    ([], None),
]


@pytest.mark.parametrize(('pipeline', 'shape'), PIPELINES)
def test_default_shape(pipeline: list[dict], shape) -> None:
    dataset = dict(dataset=dict(pipeline=pipeline))
    cfg = Config(dict(model=dict(), test_dataloader=dict(dataset=dataset)))
    assert get_flops.default_shape(cfg) == shape
    # a segmentor's preprocessor knows a size, sliding windows come first
    cfg.model.data_preprocessor = dict(size=(32, 48))
    assert get_flops.default_shape(cfg) == (shape or (32, 48))
    cfg.model.test_cfg = dict(mode='slide', crop_size=(40, 56))
    assert get_flops.default_shape(cfg) == (40, 56)


def test_get_flops_asks_for_a_shape(config, capsys) -> None:
    name = config('det')
    cfg = load_config(name)
    cfg.test_dataloader.dataset.pipeline[1].keep_ratio = True
    write_config(cfg, Path(name))
    assert get_flops.main([name]) == 2
    assert '--shape HEIGHT WIDTH' in capsys.readouterr().err


@pytest.mark.parametrize('shape', [['0', '64'], ['1', '2', '3'], ['-4']])
def test_get_flops_refuses_a_shape(shape: list[str], capsys) -> None:
    with pytest.raises(SystemExit):
        get_flops.main([__file__, '--shape', *shape])
    assert '--shape' in capsys.readouterr().err


SIZES = ['--sizes', '64', '96']


def test_curves_over_the_size(config, capsys, tmp_path) -> None:
    name = config('cls')
    names = ['--names', 'PVT', 'same', '--part', 'backbone']
    options = [name, name, *SIZES, *names]
    picture = tmp_path / 'new' / 'flops.png'
    assert get_flops.main([*options, '--out', str(picture)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ['size', 'PVT', '(G)', 'same', '(G)']
    assert [line.split()[0] for line in lines[1:3]] == SIZES[1:]
    assert min(cv2.imread(str(picture)).shape[:2]) > 400
    assert get_flops.main([*options, '--json']) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row['input_shape'] for row in rows] == [[64, 64], [96, 96]] * 2
    adds = [row['multiply_adds'] for row in rows]
    assert adds[:2] == adds[2:] and adds[0] < adds[1]
    backbone = build_model(load_config(name)).backbone
    assert adds[1] == count_complexity(backbone, (96, 96)).flops


def test_several_configs_without_sizes(config, capsys) -> None:
    names = [config('cls', 'a.py'), config('seg', 'b.py')]
    assert get_flops.main([*names, '--shape', '64']) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in names)
    assert get_flops.main([*names, '--shape', '64', '--json']) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row['config'] for row in found] == names


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--out', 'x.png'], 'need --sizes'),
        ([*SIZES, '--shape', '64'], 'not both'),
        ([*SIZES, '--names', 'a', 'b'], 'give one for each'),
        ([*SIZES, '--out', 'x.txt'], 'must end with'),
    ],
)
def test_get_flops_refuses(arguments, message, capsys) -> None:
    with pytest.raises(SystemExit):
        get_flops.parse_args([__file__, *arguments])
    assert message in capsys.readouterr().err
