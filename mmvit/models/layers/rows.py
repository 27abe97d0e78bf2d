"""Cutting maps into groups of rows."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .sizes import (
    ceil_div,
    in_order,
    is_symbolic,
    must_fit_all,
    padding_bias,
    take,
)


class RowGroups:
    """The partition of a map's rows into N = ceil(H / size) groups.

    Interlaced, group i holds the rows i, i + N, i + 2N, ...; otherwise it
    holds consecutive rows, a stripe. For columns pass maps whose H and W are
    swapped. Where the groups do not divide the map, the last ones are
    shorter: by one row if interlaced.

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
        self.size = size
        if not is_symbolic(height):
            rows = ceil_div(height, self.number)
            self.size = rows if interlaced else min(size, height)
        #: Rows that the groups lack, together.
        self.missing = self.number * self.size - height

    def cut(self, x: Tensor) -> list[Tensor]:
        """Cut a map into groups, the longer ones and the shorter ones.

        A graph that serves maps of all sizes adds the missing rows instead;
        see `token_bias`.

        Shape: x (B, H, W, h, d) -> one or two of (B, n, h, s, W, d).
        """
        if must_fit_all(self.height):
            x = F.pad(x, (0, 0, 0, 0, 0, 0, 0, self.missing))
            if self.interlaced:
                return [in_order(self._interlace(x))]
            x = x.unflatten(1, (self.number, self.size))
            return [in_order(x.permute(0, 1, 4, 2, 3, 5))]
        if not self.interlaced:
            whole = self.height // self.size * self.size
            parts = [x]
            if self.missing:
                parts = x.split([whole, self.height - whole], 1)
            sides = [min(self.size, part.shape[1]) for part in parts]
            # (B, n * s, W, h, d) -> (B, n, h, s, W, d)
            return [
                part.unflatten(1, (-1, side)).permute(0, 1, 4, 2, 3, 5)
                for part, side in zip(parts, sides)
            ]
        if not self.missing:
            return [self._interlace(x)]
        # The last row of the longer groups is at the end of the map.
        longer = self.number - self.missing
        main, last = x.split([self.height - longer, longer], 1)
        long, short = self._interlace(main).split([longer, self.missing], 1)
        # (B, n, W, h, d) -> (B, n, h, 1, W, d)
        last = last.permute(0, 1, 3, 2, 4)[:, :, :, None]
        return [torch.cat([long, last], 3), short]

    def _interlace(self, x: Tensor) -> Tensor:
        """Shape: x (B, s * N, W, h, d) -> (B, N, h, s, W, d)."""
        x = x.unflatten(1, (-1, self.number))
        return x.permute(0, 2, 4, 1, 3, 5)

    def join(self, groups: list[Tensor]) -> Tensor:
        """Undo `cut`.

        Shape: one or two of (B, n, h, s, W, d) -> (B, H, W, h, d).
        """
        if not self.interlaced:
            parts = [part.permute(0, 1, 3, 4, 2, 5) for part in groups]
            parts = [part.flatten(1, 2) for part in parts]
            x = parts[0] if len(parts) == 1 else torch.cat(parts, 1)
            return take(x, 1, self.height)
        # (B, n, h, s, W, d) -> (B, s, n, W, h, d)
        parts = [part.permute(0, 3, 1, 4, 2, 5) for part in groups]
        if len(parts) == 1:
            return take(in_order(parts[0]).flatten(1, 2), 1, self.height)
        long, last = parts[0].split([self.size - 1, 1], 1)
        main = torch.cat([long, parts[1]], 2).flatten(1, 2)
        return torch.cat([main, last[:, 0]], 1)

    def token_bias(self, width: int, like: Tensor) -> Tensor | None:
        """Logits that exclude the missing rows, where `cut` has added them.

        Shape: the map's W, a tensor of the wanted type and device ->
            (N, 1, 1, s * W), or None.
        """
        if not must_fit_all(self.height):
            return None
        rows = torch.arange(self.number * self.size, device=like.device)
        real = (rows < self.height).expand(width, -1)
        if self.interlaced:
            # (W, s * N) -> (N, s, W)
            real = real.unflatten(1, (self.size, self.number)).permute(2, 1, 0)
        else:
            # (W, N * s) -> (N, s, W)
            real = real.unflatten(1, (self.number, self.size)).permute(1, 2, 0)
        return padding_bias(real.flatten(1)).to(like.dtype)[:, None, None]
