"""Arithmetic on open sizes, as ONNX has it.

The exporters of whole backbones take minutes for graphs of any size. These
are the parts of them that calculate with heights and widths.
"""

import pytest
import torch
from torch import Tensor, nn

from mmvit.apis.export import save
from mmvit.models.backbones.focal import _regions
from mmvit.models.layers import WindowGrid

pytest.importorskip('onnxscript')
onnxruntime = pytest.importorskip('onnxruntime')


class Windows(nn.Module):
    """Cut a map into windows, the last of which are padded."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        grid = WindowGrid(x.shape[1:3], 3, shift=1)
        tokens = grid.pad(x)[..., None, None, :]
        return grid.cut_heads(tokens), grid.token_bias(x)


class Regions(nn.Module):
    """Focal's places of keys, which wrap around the map."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        # Side 3, shift 1, wrapped; levels of single tokens and of windows
        places, mask = _regions(*x.shape[1:3], 3, 1, 1, 1, 7, 3, 3, like=x)
        return places, mask


@pytest.mark.parametrize(
    'part', [Windows(), Regions()], ids=lambda m: type(m).__name__
)
def test_onnx_calculates_with_open_sizes(part, tmp_path):
    path = str(tmp_path / 'part.onnx')
    axes = {i: torch.export.Dim(f'side{i}', min=4, max=64) for i in (1, 2)}
    program = torch.export.export(
        part, (torch.rand(1, 8, 10, 2),), dynamic_shapes=(axes,), strict=False
    )
    save(program, path, ['first', 'second'])
    session = onnxruntime.InferenceSession(path)
    # One window more, multiples of the windows, smaller than a region
    for size in ((8, 10), (13, 12), (5, 4)):
        x = torch.rand(1, *size, 2)
        for found, expected in zip(
            session.run(None, {'images': x.numpy()}), part(x)
        ):
            torch.testing.assert_close(torch.from_numpy(found), expected)
