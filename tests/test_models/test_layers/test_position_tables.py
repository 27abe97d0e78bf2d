import pytest
import torch

from mmvit.models.layers import AbsolutePositionEmbedding


def test_table_is_resized_from_its_own_grid():
    position = AbsolutePositionEmbedding((2, 2), 1)
    with torch.no_grad():
        position.table.copy_(
            torch.tensor([[0.0, 1.0], [2.0, 3.0]]).view(1, 2, 2, 1)
        )
    assert torch.equal(position(torch.zeros(1, 2, 2, 1)), position.table)
    # The centres of 4 columns fall at -0.25, 0.25, 0.75, 1.25 of the table's:
    # bilinear, clamped at the border.
    row = torch.tensor([0.0, 0.25, 0.75, 1.0])
    out = position(torch.zeros(3, 2, 4, 1))
    assert out.shape == (3, 2, 4, 1)
    torch.testing.assert_close(out[1, 0, :, 0], row)
    torch.testing.assert_close(out[1, 1, :, 0], row + 2)


def test_table_of_another_grid_is_loaded():
    source = AbsolutePositionEmbedding((7, 7), 3)
    target = AbsolutePositionEmbedding((10, 12), 3)
    target.load_state_dict(source.state_dict())
    x = torch.zeros(1, 10, 12, 3)
    torch.testing.assert_close(target(x), source(x))
    other = AbsolutePositionEmbedding((7, 7), 4)
    with pytest.raises(RuntimeError, match='size mismatch'):
        other.load_state_dict(source.state_dict())
