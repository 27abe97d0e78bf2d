import itertools

import pytest
import torch

from mmvit.models.layers import (
    MASKED,
    WindowGrid,
    map_windows,
)

from .naive import windows_of

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
    x = torch.rand(2, *size, 4)
    heads = grid.cut_heads(x, 2)
    assert torch.equal(grid.join_heads(heads, 2), x)
    # Head 1 of window 1 of the second image has its last two channels.
    expected = grid.cut(x)[len(windows) + 1, ..., 2:].flatten(0, 1)
    assert torch.equal(heads[1, 3], expected)
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
    assert torch.equal(grid.join_heads(grid.cut_heads(x, 2), 2), x)


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


@pytest.mark.parametrize('shift', [0, 2])
@pytest.mark.parametrize('size', [(6, 9), (5, 8), (2, 7), (1, 1)])
def test_parts_have_whole_windows(size, shift):
    """Each part is a block of windows of one shape, without padding."""
    x = torch.arange(size[0] * size[1]).view(1, *size, 1)
    seen = []

    def look(part, rows, columns, mask):
        assert mask is None
        assert part.shape[1] % rows == 0
        assert part.shape[2] % columns == 0
        for top in range(0, part.shape[1], rows):
            for left in range(0, part.shape[2], columns):
                window = part[0, top : top + rows, left : left + columns]
                seen.append(set(window.flatten().tolist()))
        return part

    assert torch.equal(map_windows(look, x, 3, shift), x)
    windows = WindowGrid(size, 3, shift=shift).cut(x + 1).flatten(1)
    expected = [{n - 1 for n in w.tolist() if n} for w in windows]
    assert sorted(map(sorted, seen)) == sorted(map(sorted, expected))


def test_dilation_follows_the_map():
    grid = WindowGrid((56, 28), 7, None)
    assert (grid.rows.dilation, grid.columns.dilation) == (8, 4)
    assert not grid.is_padded
    assert grid.cut(torch.rand(1, 56, 28, 1)).shape[0] == 32
    # Never more windows side by side than the map has tokens.
    assert WindowGrid((3, 60), 7, (8, 8)).rows.dilation == 3
