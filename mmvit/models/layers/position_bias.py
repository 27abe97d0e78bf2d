"""Position biases computed from the offsets between queries and keys."""

from typing import NamedTuple

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from .sizes import cached_by_size, is_exporting


def _distinct(offsets: Tensor) -> tuple[Tensor, Tensor]:
    """Find the distinct offsets, and the index of each offset among them.

    The number of results must be known when a graph is exported: there they
    are all multiples of 1/2 that are within the reach of Q queries.

    Shape: offsets (Q, K) -> (Y, ), (Q, K).
    """
    if not is_exporting():
        return offsets.unique(return_inverse=True)
    reach = 2 * (offsets.shape[0] - 1)
    distinct = torch.arange(-reach, reach + 1).double() / 2
    return distinct, (2 * offsets).long() + reach


class Offsets(NamedTuple):
    """Offsets of Hq x Wq queries from Hk x Wk keys, in tokens."""

    coordinates: Tensor  # The distinct offsets, (Y, X, 2)
    rows: Tensor  # Index of the row offset of each pair, (Hq, Hk)
    columns: Tensor  # Index of the column offset of each pair, (Wq, Wk)

    @classmethod
    def between(
        cls, queries: tuple[Tensor, Tensor], keys: tuple[Tensor, Tensor]
    ) -> 'Offsets':
        """Offsets between row and column positions, multiples of 1/2."""
        (y, rows), (x, columns) = (
            _distinct(query[:, None].double() - key.double())
            for query, key in zip(queries, keys)
        )
        grid = torch.meshgrid(y, x, indexing='ij')
        return cls(torch.stack(grid, -1), rows, columns)


@cached_by_size(
    lambda height, width: [
        (float, 2 * height - 1, 2 * width - 1, 2),
        (int, height * width, height * width),
    ]
)
def _token_offsets(height: int, width: int) -> tuple[Tensor, Tensor]:
    """The offsets between a map's tokens, and their indices (N, N)."""
    positions = torch.arange(height), torch.arange(width)
    coordinates, rows, columns = Offsets.between(positions, positions)
    # (H, H), (W, W) -> (H, W, H, W) -> (N, N)
    pairs = rows[:, None, :, None] * coordinates.shape[1] + columns[:, None]
    return coordinates, pairs.flatten(2).flatten(0, 1)


def spread_bias(table: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Look up the bias of each pair of a query and a key.

    Shape: table (h, Y, X), the bias of each distinct offset, rows (Hq, Hk) and
        columns (Wq, Wk) of `Offsets` -> (h, Hq * Wq, Wk, Hk). The keys go
        column by column: so the last, large lookup writes whole runs in their
        final order.
    """
    # (h, Y, X) -> (h, Hq * Hk, X) -> (h, Hq, X, Hk)
    bias = table.index_select(1, rows.flatten()).unflatten(1, rows.shape)
    bias = bias.transpose(2, 3)
    # -> (h, Hq, Wq * Wk, Hk) -> (h, Hq * Wq, Wk, Hk)
    bias = bias.index_select(2, columns.flatten())
    return bias.unflatten(2, columns.shape).flatten(1, 2)


class DynamicPositionBias(BaseModule):
    """Position bias that a small MLP computes from relative coordinates.

    It is not tied to a map's size. The MLP is applied to each distinct
    offset once.

    The MLP has C / 16 channels, C being those of the attention.

    Shape: a map's (H, W) -> (h, N, N), between all its tokens.
    """

    def __init__(self, embed_dims: int, num_heads: int) -> None:
        super().__init__()
        dims = embed_dims // 16
        if not dims:
            raise ValueError(
                f'embed_dims {embed_dims} must be at least 16: the dynamic '
                'position bias has a 16th of the channels'
            )
        self.layers = nn.Sequential(nn.Linear(2, dims))
        for width in (dims, dims, num_heads):
            self.layers.extend(
                [nn.LayerNorm(dims), nn.ReLU(), nn.Linear(dims, width)]
            )

    def table(self, coordinates: Tensor) -> Tensor:
        """Compute the bias of each offset: (Y, X, 2) -> (h, Y, X)."""
        return self.layers(coordinates).permute(2, 0, 1)

    def forward(self, height: int, width: int) -> Tensor:
        like = self.layers[0].weight
        coordinates, pairs = _token_offsets(height, width, like=like)
        bias = self.table(coordinates).flatten(1)
        return bias.index_select(1, pairs.flatten()).unflatten(1, pairs.shape)
