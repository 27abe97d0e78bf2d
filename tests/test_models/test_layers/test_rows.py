import pytest
import torch

from mmvit.models.layers import RowGroups


@pytest.mark.parametrize('interlaced', [True, False])
@pytest.mark.parametrize('height', [1, 2, 6, 7, 10, 11])
def test_rows_are_cut_and_joined(height, interlaced):
    groups = RowGroups(height, 4, interlaced)
    x = torch.rand(2, height, 5, 3, 4)
    parts = groups.cut(x)
    assert sum(part.shape[1] for part in parts) == groups.number
    assert all(part.shape[3] <= 4 for part in parts)
    assert all(part.shape[::2] == (2, 3, 5) for part in parts)
    assert torch.equal(groups.join(parts), x)


def rows_of(height: int, size: int, interlaced: bool) -> list[list[int]]:
    """The rows of each group, in order."""
    x = torch.arange(height).view(1, height, 1, 1, 1)
    parts = RowGroups(height, size, interlaced).cut(x)
    return [group.flatten().tolist() for part in parts for group in part[0]]


def test_rows_of_a_group():
    assert rows_of(6, 3, True) == [[0, 2, 4], [1, 3, 5]]
    assert rows_of(6, 3, False) == [[0, 1, 2], [3, 4, 5]]
    # The last groups lack rows: one each, or the last one all of them.
    assert rows_of(7, 3, True) == [[0, 3, 6], [1, 4], [2, 5]]
    assert rows_of(7, 3, False) == [[0, 1, 2], [3, 4, 5], [6]]
    assert rows_of(2, 3, True) == rows_of(2, 3, False) == [[0, 1]]
