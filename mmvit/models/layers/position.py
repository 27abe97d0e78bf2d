import functools
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn


def constant_result(function: Callable) -> Callable:
    """Keep the results of a function of a map's lengths.

    torch.compile takes them for constants instead of looking into how they
    come about, which depends on the values of tensors.
    """
    kept = functools.lru_cache(maxsize=256)(function)

    @torch.compiler.assume_constant_result
    def look_up(*lengths: int) -> Any:
        return kept(*lengths)

    @functools.wraps(function)
    def call(*lengths: int) -> Any:
        # torch.compile may have lengths that stand for any number: as an
        # index each has to be a certain one.
        return look_up(*map(operator.index, lengths))

    return call


class PositionTable(BaseModule):
    """Learned absolute position embedding, resized to the map it is added to.

    The table keeps the grid of its pre-training size. Another map's size is
    reached by bilinear interpolation (align_corners=False) of the table, and
    a checkpoint whose table has another grid is resized when it is loaded.

    Args:
        grid: (H, W) of the table, in tokens.
        embed_dims: Channels C.

    Shape: x (B, H, W, C) -> (B, H, W, C).
    """

    def __init__(self, grid: tuple[int, int], embed_dims: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(1, *grid, embed_dims))
        nn.init.trunc_normal_(self.table, std=0.02)

    @staticmethod
    def resize(table: Tensor, size: tuple[int, int]) -> Tensor:
        """Shape: table (1, H0, W0, C) -> (1, H, W, C) for `size` (H, W)."""
        if table.shape[1:3] == tuple(size):
            return table
        table = F.interpolate(table.permute(0, 3, 1, 2), size, mode='bilinear')
        return table.permute(0, 2, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.resize(self.table, x.shape[1:3])

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args, **kwargs
    ) -> None:
        key = f'{prefix}table'
        loaded = state_dict.get(key)
        if (
            loaded is not None
            and loaded.dim() == 4
            and (loaded.shape[-1] == self.table.shape[-1])
        ):
            state_dict[key] = self.resize(loaded, self.table.shape[1:3])
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


class Offsets(NamedTuple):
    """How far queries lie from keys along one axis.

    Attributes:
        values: The distances that occur, in tokens, each once.
        index: Which of them each pair has, a row for each query.
    """

    values: Tensor
    index: Tensor

    @classmethod
    def between(cls, queries: Tensor, keys: Tensor) -> 'Offsets':
        """Offsets of the places of queries from those of keys."""
        pairs = queries[:, None].float() - keys.float()
        return cls(*pairs.unique(return_inverse=True))

    def part(self, start: int, stop: int) -> 'Offsets':
        """The offsets of some of the queries."""
        return Offsets(self.values, self.index[start:stop])


@constant_result
def token_offsets(length: int) -> Offsets:
    """Offsets between all tokens of an axis."""
    places = torch.arange(length, device='cpu')
    return Offsets.between(places, places)


class DynamicPositionBias(BaseModule):
    """Position bias that a small network makes from relative coordinates.

    No table is tied to a map's size. The network sees each distance that
    occurs once, however many pairs of a query and a key have it; in
    evaluation its answers for the last size are kept.

    Args:
        embed_dims: Channels C of the attention; the network has C / 16.
        num_heads: Heads h.

    Shape: offsets of Hq x Wq queries to Hk x Wk keys ->
        (h, Hq * Wq, Hk * Wk).

    Raises:
        ValueError: If C is less than 16.
    """

    def __init__(self, embed_dims: int, num_heads: int) -> None:
        super().__init__()
        dims = embed_dims // 16
        if not dims:
            raise ValueError(
                f'{embed_dims} channels leave the dynamic position bias, '
                'which has a 16th of them, none: take at least 16'
            )
        self.layers = nn.Sequential(nn.Linear(2, dims))
        for width in (dims, dims, num_heads):
            self.layers.extend(
                [nn.LayerNorm(dims), nn.ReLU(), nn.Linear(dims, width)]
            )
        self._kept = None

    def train(self, mode: bool = True) -> 'DynamicPositionBias':
        # Hooks may have changed the weights in between, so start afresh.
        self._kept = None
        return super().train(mode)

    def _table(self, rows: Offsets, columns: Offsets) -> Tensor:
        weight = self.layers[0].weight
        y, x = rows.values.to(weight), columns.values.to(weight)
        # -> (Y, X, 2) -> (Y, X, h) -> (h, Y, X)
        places = torch.stack(torch.meshgrid(y, x, indexing='ij'), -1)
        return self.layers(places).permute(2, 0, 1)

    def _state(self) -> tuple:
        params = list(self.parameters())
        return params[0].device, params[0].dtype, [p._version for p in params]

    def forward(self, rows: Offsets, columns: Offsets) -> Tensor:
        if (
            self.training
            or torch.is_grad_enabled()
            or torch.compiler.is_compiling()
        ):
            table = self._table(rows, columns)
        else:
            state, kept = self._state(), self._kept
            if (
                kept is None
                or kept[0] is not rows.values
                or kept[1] is not columns.values
                or kept[2] != state
            ):
                table = self._table(rows, columns)
                self._kept = kept = (rows.values, columns.values, state, table)
            table = kept[3]
        # (h, Y, X) -> (h, Hq * Hk, Wq * Wk)
        bias = table.index_select(1, rows.index.flatten().to(table.device))
        bias = bias.index_select(2, columns.index.flatten().to(table.device))
        # -> (h, Hq, Hk, Wq, Wk) -> (h, Hq * Wq, Hk * Wk)
        bias = bias.unflatten(2, columns.index.shape)
        bias = bias.unflatten(1, rows.index.shape)
        return bias.transpose(2, 3).flatten(3).flatten(1, 2)
