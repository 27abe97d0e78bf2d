import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn


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
