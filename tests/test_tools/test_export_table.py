"""tools/dev/export_table.py, and the tables of docs/en/export.md."""

import re

import torch
from torch import Tensor, nn

from mmvit.apis.export_formats import FORMATS
from tests.support.helpers import load_tool
from tests.support.pages import DOCS

table = load_tool('dev/export_table')


def test_no_cell_of_the_page_is_empty() -> None:
    page = (DOCS / 'export.md').read_text()
    halves = sum('--fp16' in options for options in table.CASES.values())
    for name in [*table.BACKBONES, *table.MODELS]:
        number = len(table.CASES) - halves * (name in table.BACKBONES)
        for kind in FORMATS:
            (row,) = re.findall(
                rf'^\| {name} \| {kind} \| (.*) \|$', page, re.M
            )
            cells = row.split(' | ')
            assert len(cells) == number, (name, kind)
            for cell in cells:
                assert re.fullmatch(
                    r'(0|\d\.\de-\d\d)(, \d+ of \d+ boxes)?', cell
                ), cell


class Squared(nn.Module):
    """Products whose number of images can, or cannot, stay open."""

    outputs = ('squares',)

    def __init__(self, is_open: bool) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.is_open = is_open

    def forward(self, images: Tensor) -> tuple[Tensor]:
        number = images.shape[0] if self.is_open else len(images)
        return (images.reshape(number, -1) ** 2 * self.scale,)


def test_cells_are_differences_or_reasons() -> None:
    options = table.CASES['batch']
    assert table.measure(Squared(True), options, ['torch-export']) == [
        '0.0e+00'
    ]
    (cell,) = table.measure(Squared(False), options, ['torch-export'])
    assert cell.startswith('no: torch.export cannot trace')


def test_boxes_of_both_sizes_are_added(monkeypatch) -> None:
    said = (
        'images 1x3x8x8: largest difference 2.0e-07, in 9 of 9 boxes\n'
        'images 3x3x8x8: largest difference 1.0e-07, in 28 of 30 boxes\n'
    )
    tool = dict(main=lambda _: print(said))
    monkeypatch.setattr(table.runpy, 'run_path', lambda _: tool)
    cell = table.run_tool('config', 'checkpoint', [], '.onnx')
    assert cell == '2.0e-07, 37 of 39 boxes'
