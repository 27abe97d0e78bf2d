import pytest
import torch

from mmvit.models.layers import from_windows, padding_bias, to_windows
from mmvit.models.layers.windows import MASKED


@pytest.mark.parametrize('shift', [0, 2])
@pytest.mark.parametrize('size', [(6, 9), (5, 7), (2, 10)])
def test_windows_are_cut_and_put_together(size, shift):
    x = torch.rand(2, *size, 4)
    windows = to_windows(x, 3, shift)
    assert windows.shape[1:] == (3, 3, 4)
    assert torch.equal(from_windows(windows, size, shift), x)


def test_windows_hold_neighbours():
    x = torch.arange(24.0).view(1, 4, 6, 1)
    windows = to_windows(x, 2)
    assert windows.shape[0] == 6
    assert windows[1, ..., 0].tolist() == [[2, 3], [8, 9]]
    assert windows[3, ..., 0].tolist() == [[12, 13], [18, 19]]
    shifted = to_windows(x, 2, shift=1)
    assert shifted[0, ..., 0].tolist() == [[0, 0], [0, 0]]
    assert shifted[5, ..., 0].tolist() == [[7, 8], [13, 14]]


def test_bias_marks_what_was_padded():
    x = torch.rand(2, 3, 4, 1)
    windows = to_windows(x, 2)
    bias = padding_bias((3, 4), 2, 0, windows)
    assert bias.shape == (8, 1, 1, 4)
    rows = [[0, 0, 0, 0]] * 2 + [[0, 0, MASKED, MASKED]] * 2
    assert bias[:, 0, 0].tolist() == rows * 2
    assert padding_bias((4, 4), 2, 0, windows) is None
    assert padding_bias((4, 4), 2, 1, windows) is not None
