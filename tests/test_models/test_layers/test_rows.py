import pytest
import torch

from mmvit.models.layers import MASKED, RowGroups


@pytest.mark.parametrize('interlaced', [True, False])
@pytest.mark.parametrize('height', [1, 2, 6, 7, 10])
def test_rows_are_cut_and_joined(height, interlaced):
    groups = RowGroups(height, 3, interlaced)
    x = torch.rand(2, height, 5, 4)
    cut = groups.cut(x)
    assert cut.shape == (2 * groups.number, groups.size, 5, 4)
    assert groups.size <= 3
    assert torch.equal(groups.join(cut), x)


def test_rows_of_a_group_are_interlaced():
    x = torch.arange(6.0).view(1, 6, 1, 1)
    groups = RowGroups(6, 3).cut(x)
    assert groups.flatten(1).tolist() == [[0, 2, 4], [1, 3, 5]]
    stripes = RowGroups(6, 3, interlaced=False).cut(x)
    assert stripes.flatten(1).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_padded_rows_are_masked():
    # Rows 0, 2, 4 and 1, 3: the second group lacks a row of two tokens.
    groups = RowGroups(5, 3)
    bias = groups.token_bias(groups.cut(torch.rand(2, 5, 2, 4)))
    assert bias.shape == (4, 1, 1, 6)
    rows = [[0] * 6, [0] * 4 + [MASKED] * 2]
    assert bias[:, 0, 0].tolist() == rows * 2
    groups = RowGroups(6, 3)
    assert groups.token_bias(groups.cut(torch.rand(2, 6, 2, 4))) is None
