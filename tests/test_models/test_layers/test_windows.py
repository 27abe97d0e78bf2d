import itertools

import pytest
import torch
from torch import Tensor

from mmvit.models.layers import MASKED, WindowGrid

from .naive import windows_of


def cut_in_two(grid: WindowGrid, *parts: Tensor) -> Tensor:
    """The windows of parts, such as q and k, with two heads."""
    padded = [grid.pad(part).unflatten(3, (2, -1)) for part in parts]
    return grid.cut_heads(torch.stack(padded, 3))


SIZES = [(6, 6), (5, 8), (2, 7), (4, 19)]


@pytest.mark.parametrize('steps', [(1, 1), (2, 2), (2, 3)])
@pytest.mark.parametrize('size', SIZES)
def test_every_token_is_in_one_window(size, steps):
    grid = WindowGrid(size, 3, steps)
    numbers = torch.arange(1, size[0] * size[1] + 1).view(1, *size, 1)
    cut = grid.cut(numbers.float())
    windows = windows_of(size, 3, [min(*p) for p in zip(steps, size)])
    for got, tokens in zip(cut.flatten(1), windows, strict=True):
        assert [n for n in got.tolist() if n] == [
            numbers[0, i, j, 0].item() for i, j in tokens
        ]
    x, other = torch.rand(2, 2, *size, 4)
    heads = cut_in_two(grid, x, other)
    for part, joined in zip((x, other), heads):
        assert torch.equal(grid.crop(grid.join_heads(joined, 2)), part)
    # Head 1 of window 1 of the second image has its last two channels.
    expected = grid.cut(other)[len(windows) + 1, ..., 2:].flatten(0, 1)
    assert torch.equal(heads[1, 1, 3], expected)
    means = grid.mean(x).flatten(1, 2)
    for index, tokens in enumerate(windows):
        if tokens:
            mean = sum(x[:, i, j] for i, j in tokens) / len(tokens)
            torch.testing.assert_close(means[:, index], mean)
    empty = torch.tensor([not tokens for tokens in windows])
    bias = grid.window_bias(x)
    assert empty.any() == (bias is not None)
    if bias is not None:
        assert torch.equal(bias.flatten() < 0, empty)


@pytest.mark.parametrize('steps', [(1, 1), (2, 3)])
@pytest.mark.parametrize('size', SIZES)
def test_shifted_windows_are_cut_and_joined(size, steps):
    grid = WindowGrid(size, 3, steps, shift=2)
    x = torch.rand(2, *size, 4)
    heads = cut_in_two(grid, x, x)[0]
    assert torch.equal(grid.crop(grid.join_heads(heads, 2)), x)


def test_windows_hold_neighbours():
    x = torch.arange(24.0).view(1, 4, 6, 1)
    windows = WindowGrid((4, 6), 2).cut(x)
    assert windows.shape == (6, 2, 2, 1)
    assert windows[1, ..., 0].tolist() == [[2, 3], [8, 9]]
    assert windows[3, ..., 0].tolist() == [[12, 13], [18, 19]]
    shifted = WindowGrid((4, 6), 2, shift=1).cut(x)
    assert shifted[0, ..., 0].tolist() == [[0, 0], [0, 0]]
    assert shifted[5, ..., 0].tolist() == [[7, 8], [13, 14]]


def test_padded_tokens_are_masked():
    def bias_of(*args, **kwargs):
        return WindowGrid(*args, **kwargs).token_bias(torch.rand(1))

    bias = bias_of((3, 4), 2)
    assert bias.shape == (4, 1, 1, 4)
    rows = [[0, 0, 0, 0]] * 2 + [[0, 0, MASKED, MASKED]] * 2
    assert bias[:, 0, 0].tolist() == rows
    assert bias_of((4, 4), 2) is None
    # The first of nine windows has one token on the map.
    shifted = bias_of((4, 4), 2, shift=1)
    assert shifted[0, 0, 0].tolist() == [MASKED] * 3 + [0]


def test_means_of_shifted_windows():
    x = torch.rand(1, 3, 3, 2)
    means = WindowGrid((3, 3), 2, shift=1).mean(x).flatten(1, 2)
    spans = (slice(0, 1), slice(1, 3))
    for index, (rows, columns) in enumerate(itertools.product(spans, spans)):
        expected = x[:, rows, columns].flatten(1, 2).mean(1)
        torch.testing.assert_close(means[:, index], expected)


def test_dilation_follows_the_map():
    grid = WindowGrid((56, 28), 7, None)
    assert (grid.rows.dilation, grid.columns.dilation) == (8, 4)
    assert not grid.is_padded
    assert grid.cut(torch.rand(1, 56, 28, 1)).shape[0] == 32
    # Never more windows side by side than the map has tokens.
    assert WindowGrid((3, 60), 7, (8, 8)).rows.dilation == 3
