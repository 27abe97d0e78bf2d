import itertools

import pytest
import torch

from mmvit.models.layers import DynamicPositionBias, WindowGrid
from mmvit.models.layers.position_bias import Offsets, token_offsets

from .naive import offset_bias, randomize


def test_bias_of_a_map_by_hand():
    """2x3 queries, one window of 2x2 tokens and one of 2x1 beside it."""
    bias = randomize(DynamicPositionBias(32, 2))
    grid = WindowGrid((2, 3), 2)
    with torch.no_grad():
        got = bias(grid.rows.offsets, grid.columns.offsets)
        # Centres lie at (0.5, 0.5) and, of what is on the map, (0.5, 2).
        assert got.shape == (2, 6, 2)
        for query, (i, j) in enumerate(itertools.product(range(2), range(3))):
            for key, (y, x) in enumerate([(0.5, 0.5), (0.5, 2.0)]):
                torch.testing.assert_close(
                    got[:, query, key], offset_bias(bias, i - y, j - x)
                )
        tokens = bias(token_offsets(2), token_offsets(3))
        # from token (1, 2), number 5, to token (0, 1), number 1
        torch.testing.assert_close(tokens[:, 5, 1], offset_bias(bias, 1, 1))
        torch.testing.assert_close(tokens[:, 1, 5], offset_bias(bias, -1, -1))


def test_bias_follows_its_weights():
    bias = randomize(DynamicPositionBias(32, 2))
    at = token_offsets(3), token_offsets(4)
    with torch.no_grad():
        before = bias(*at)
        assert torch.equal(bias(*at), before)
        bias.layers[-1].weight.data.mul_(3)
        assert not torch.allclose(bias(*at), before)


def test_bias_needs_channels():
    with pytest.raises(ValueError, match='at least 16'):
        DynamicPositionBias(8, 2)


def test_offsets_hold_each_distance_once():
    offsets = Offsets.between(torch.arange(3), torch.tensor([0.5, 2.5]))
    assert offsets.values.tolist() == [-2.5, -1.5, -0.5, 0.5, 1.5]
    assert offsets.values[offsets.index].tolist() == [
        [-0.5, -2.5],
        [0.5, -1.5],
        [1.5, -0.5],
    ]
