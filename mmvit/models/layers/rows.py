"""Cutting maps into groups of rows."""

import torch.nn.functional as F
from torch import Tensor

from .sizes import ceil_div, padding_bias


class RowGroups:
    """The partition of a map's rows into N = ceil(H / size) groups.

    Interlaced, group i holds the rows i, i + N, i + 2N, ...; otherwise it
    holds consecutive rows, a stripe. For columns pass maps whose H and W are
    swapped.

    Args:
        height: H of the map.
        size: Rows of a group. On maps with too few rows a group has s < size.
        interlaced: Whether the rows of a group are spread over the map.
    """

    def __init__(
        self, height: int, size: int, interlaced: bool = True
    ) -> None:
        self.height = height
        self.number = ceil_div(height, size)
        self.interlaced = interlaced
        self.size = min(size, height)
        if interlaced:
            # Drop positions that would be padding in every group.
            self.size = ceil_div(height, self.number)
        self.padding = self.number * self.size - height

    def cut(self, x: Tensor) -> Tensor:
        """Cut a map into groups; missing rows are zeros.

        Shape: x (B, H, W, C) -> (B * N, s, W, C).
        """
        if self.padding:
            x = F.pad(x, (0, 0, 0, 0, 0, self.padding))
        if self.interlaced:
            # (B, s * N, W, C) -> (B, N, s, W, C)
            x = x.unflatten(1, (self.size, self.number)).transpose(1, 2)
        else:
            x = x.unflatten(1, (self.number, self.size))
        return x.flatten(0, 1)

    def join(self, groups: Tensor) -> Tensor:
        """Undo `cut` and remove the padding.

        Shape: groups (B * N, s, W, C) -> (B, H, W, C).
        """
        # (B * N, s, W, C) -> (B, N, s, W, C)
        x = groups.unflatten(0, (-1, self.number))
        if self.interlaced:
            x = x.transpose(1, 2)
        # -> (B, s * N, W, C) -> (B, H, W, C)
        return x.flatten(1, 2)[:, : self.height]

    def token_bias(self, groups: Tensor) -> Tensor | None:
        """Logits that exclude padded rows from attention within groups.

        Shape: groups (B * N, s, W, C) -> (B * N, 1, 1, s * W), or None if
            nothing is padded.
        """
        if not self.padding:
            return None
        real = groups.new_ones(1, self.height, groups.shape[2], 1)
        real = self.cut(real).flatten(1)
        return padding_bias(real, len(groups) // len(real))
