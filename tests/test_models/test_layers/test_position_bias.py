import itertools

import pytest
import torch

from mmvit.models.layers import DynamicPositionBias, WindowGrid
from mmvit.models.layers.position_bias import Offsets, spread_bias

from .naive import offset_bias, randomize


def test_bias_of_a_map_by_hand():
    """2x3 queries, one window of 2x2 tokens and one of 2x1 beside it."""
    bias = randomize(DynamicPositionBias(32, 2))
    grid = WindowGrid((2, 3), 2)
    with torch.no_grad():
        offsets = grid.offsets(torch.rand(1))
        table = bias.table(offsets.coordinates)
        got = spread_bias(table, offsets.rows, offsets.columns).flatten(2)
        # Centres lie at (0.5, 0.5) and, of what is on the map, (0.5, 2).
        assert got.shape == (2, 6, 2)
        for query, (i, j) in enumerate(itertools.product(range(2), range(3))):
            for key, (y, x) in enumerate([(0.5, 0.5), (0.5, 2.0)]):
                torch.testing.assert_close(
                    got[:, query, key], offset_bias(bias, i - y, j - x)
                )
        tokens = bias(2, 3)
        # from token (1, 2), number 5, to token (0, 1), number 1
        torch.testing.assert_close(tokens[:, 5, 1], offset_bias(bias, 1, 1))
        torch.testing.assert_close(tokens[:, 1, 5], offset_bias(bias, -1, -1))


def test_bias_follows_its_weights():
    bias = randomize(DynamicPositionBias(32, 2))
    with torch.no_grad():
        before = bias(3, 4)
        assert torch.equal(bias(3, 4), before)
        bias.layers[-1].weight.data.mul_(3)
        assert not torch.allclose(bias(3, 4), before)


def test_bias_needs_channels():
    with pytest.raises(ValueError, match='at least 16'):
        DynamicPositionBias(8, 2)


def test_keys_go_column_by_column():
    table = torch.arange(6.0).view(1, 2, 3)
    # Two rows of keys, and two columns of which the second lies one further.
    rows, columns = torch.tensor([[0, 1]]), torch.tensor([[1, 2], [0, 1]])
    bias = spread_bias(table, rows, columns)
    assert bias.tolist() == [[[[1, 4], [2, 5]], [[0, 3], [1, 4]]]]


def test_offsets_hold_each_distance_once():
    axis = torch.arange(3), torch.tensor([0.5, 2.5])
    point = torch.zeros(1), torch.zeros(1)
    offsets = Offsets.between(*zip(axis, point))
    values = offsets.coordinates[:, 0, 0]
    assert values.tolist() == [-2.5, -1.5, -0.5, 0.5, 1.5]
    assert offsets.coordinates[:, 0, 1].tolist() == [0] * 5
    assert values[offsets.rows].tolist() == [
        [-0.5, -2.5],
        [0.5, -1.5],
        [1.5, -0.5],
    ]
    assert offsets.columns.tolist() == [[0]]
