"""Position biases computed from the offsets between queries and keys."""

from typing import NamedTuple

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from .sizes import cached_by_size


class Offsets(NamedTuple):
    """Offsets of queries from keys along one axis.

    Attributes:
        values: The distinct offsets, in tokens.
        index: The index into `values` of each pair, one row per query.
    """

    values: Tensor
    index: Tensor

    @classmethod
    def between(cls, queries: Tensor, keys: Tensor) -> 'Offsets':
        """Offsets between the positions of queries and keys."""
        pairs = queries[:, None].float() - keys.float()
        return cls(*pairs.unique(return_inverse=True))


@cached_by_size
def token_offsets(length: int) -> Offsets:
    """Offsets between all tokens of an axis."""
    positions = torch.arange(length, device='cpu')
    return Offsets.between(positions, positions)


def spread_bias(table: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Look up the bias of each pair of a query and a key.

    Args:
        table: Bias of each distinct offset, for Y row offsets and X column
            offsets.
        rows, columns: Index of the row and column offset of each pair.

    Shape: table (h, Y, X), rows (Hq, Hk), columns (Wq, Wk) ->
        (h, Hq * Wq, Hk * Wk).
    """
    # (h, Y, X) -> (h, Hq * Hk, Wq * Wk)
    bias = table.index_select(1, rows.flatten().to(table.device))
    bias = bias.index_select(2, columns.flatten().to(table.device))
    # -> (h, Hq, Hk, Wq, Wk) -> (h, Hq * Wq, Hk * Wk)
    bias = bias.unflatten(2, columns.shape).unflatten(1, rows.shape)
    return bias.transpose(2, 3).flatten(3).flatten(1, 2)


class DynamicPositionBias(BaseModule):
    """Position bias that a small MLP computes from relative coordinates.

    It is not tied to a map's size. The MLP is applied to each distinct
    offset once.

    Args:
        embed_dims: Channels C of the attention; the MLP has C / 16.
        num_heads: Heads h.

    Shape: offsets of Hq x Wq queries from Hk x Wk keys ->
        (h, Hq * Wq, Hk * Wk).
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

    def table(self, rows: Offsets, columns: Offsets) -> Tensor:
        """Compute the bias of each distinct offset.

        Shape: Y row offsets, X column offsets -> (h, Y, X).
        """
        weight = self.layers[0].weight
        y, x = rows.values.to(weight), columns.values.to(weight)
        # -> (Y, X, 2) -> (Y, X, h) -> (h, Y, X)
        coordinates = torch.stack(torch.meshgrid(y, x, indexing='ij'), -1)
        return self.layers(coordinates).permute(2, 0, 1)

    def forward(self, rows: Offsets, columns: Offsets) -> Tensor:
        table = self.table(rows, columns)
        return spread_bias(table, rows.index, columns.index)
