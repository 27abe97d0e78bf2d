"""tools/export.py, and the example of docs/en/export.md."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.support.helpers import load_tool

export = load_tool('export')
PAGE = Path(__file__).resolve().parents[2] / 'docs/en/export.md'


def test_a_program_is_written_and_compared(trained, tmp_path, capsys) -> None:
    out = str(tmp_path / 'new/folder/model.pt2')
    export.main([*trained('cls'), '--shape', '64', '96', '--out', out])
    text = capsys.readouterr().out
    assert 'images -> scores' in text
    assert re.search(r'images 1x3x64x96: largest difference \d\.\de', text)
    assert 'images of this shape only' in text
    program = torch.export.load(out).module()
    (scores,) = program(torch.zeros(1, 3, 64, 96))
    assert scores.sum().item() == pytest.approx(1)


def test_half_precision(trained, tmp_path, capsys) -> None:
    out = str(tmp_path / 'model.pt2')
    options = ['--fp16', '--part', 'backbone', '--shape', '64']
    export.main([*trained('seg'), *options, '--out', out])
    assert 'map_0, map_1, map_2, map_3' in capsys.readouterr().out
    weights = torch.export.load(out).state_dict.values()
    assert all(part.dtype is torch.half for part in weights if part.dim() > 1)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--shape', '64', '--out', 'x.pth'], 'must end with .pt2 or .onnx'),
        (['--shape', '8', '--out', 'x.pt2'], 'below 32'),
        (['--shape', '64', '64', '64', '--out', 'x.pt2'], 'one side'),
        (
            ['--format', 'onnx', '--shape', '64', '--out', 'x.pt2'],
            'files that end with .onnx',
        ),
    ],
)
def test_wrong_arguments(options, message, capsys) -> None:
    with pytest.raises(SystemExit):
        export.parse_args([__file__, __file__, *options])
    assert message in capsys.readouterr().err


def test_the_reason_is_told(trained, tmp_path) -> None:
    options = ['--shape', '60', '--dynamic', 'hw']
    with pytest.raises(SystemExit, match='cannot export: .*64 to 8192 pixels'):
        export.main(
            [*trained('cls'), *options, '--out', str(tmp_path / 'x.pt2')]
        )


@pytest.mark.slow
def test_the_example_of_the_docs(trained, tmp_path, monkeypatch) -> None:
    for package in ('onnx', 'onnxscript', 'onnxruntime'):
        pytest.importorskip(package)
    files = trained('seg')
    monkeypatch.chdir(tmp_path)
    export.main([*files, '--shape', '64', '96', '--out', 'model.onnx'])
    assert [path.name for path in tmp_path.glob('model*')] == ['model.onnx']
    photo = np.random.default_rng(0).integers(0, 255, (50, 70, 3), np.uint8)
    Image.fromarray(photo).save('photo.jpg')
    (example,) = re.findall(r'```python\n(.*?)```', PAGE.read_text(), re.S)
    exec(example, {})
    labels = Image.open('labels.png')
    assert labels.size == (70, 50)
    assert np.asarray(labels).max() < 3
