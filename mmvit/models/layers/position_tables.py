"""Learned position tables that are resized to other grids."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from .sizes import is_symbolic


class ResizedTable(BaseModule):
    """Base class of a table over a grid, of shape (..., H, W, C).

    A checkpoint whose table has another grid is resized when it is loaded.
    """

    #: Interpolation, with align_corners=False.
    mode = 'bilinear'

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(shape))

    @classmethod
    def resize(cls, table: Tensor, size: Sequence[int]) -> Tensor:
        """Interpolate a table (..., H0, W0, C) to the size (H, W)."""
        # A graph for images of all sizes interpolates at this one, too.
        for_all = is_symbolic(*size) or torch.jit.is_tracing()
        if not for_all and table.shape[-3:-1] == tuple(size):
            return table
        grid = table.view(-1, *table.shape[-3:]).permute(0, 3, 1, 2)
        grid = F.interpolate(grid, size, mode=cls.mode).permute(0, 2, 3, 1)
        return grid.view(*table.shape[:-3], *grid.shape[1:])

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args, **kwargs
    ) -> None:
        key = f'{prefix}table'
        loaded, own = state_dict.get(key), self.table
        is_table = loaded is not None and loaded.dim() == own.dim()
        if is_table and loaded.shape[-1] == own.shape[-1]:
            state_dict[key] = self.resize(loaded, own.shape[-3:-1])
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


class AbsolutePositionEmbedding(ResizedTable):
    """Learned absolute position embedding.

    The table keeps the grid (H, W) of the pre-training images, in tokens, and
    is resized to each map that it is added to.

    Shape: x (B, H, W, C) -> (B, H, W, C).
    """

    def __init__(self, grid: tuple[int, int], embed_dims: int) -> None:
        super().__init__(1, *grid, embed_dims)
        nn.init.normal_(self.table, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.resize(self.table, x.shape[1:3])
