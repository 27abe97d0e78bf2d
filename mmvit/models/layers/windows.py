"""Cutting maps into windows, plain, dilated or shifted."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .position_bias import Offsets
from .sizes import MASKED, cached_by_size, ceil_div, padding_bias


class WindowAxis:
    """One axis of a `WindowGrid`.

    Token (i * w + j) * D + k, counted from the start of the grid, is token j
    of window i * D + k.

    Attributes:
        dilation: D.
        padding: Tokens added before and after the map.
        shape: (n, D), whose product is the number of windows along the axis.
        counts: Tokens of the map in each window.
        has_empty: Whether a window has no token of the map.
        offsets: Offsets of the map's tokens from the windows' centres, each
            the mean position of the window's tokens on the map.
    """

    def __init__(
        self, length: int, side: int, dilation: int, shift: int
    ) -> None:
        span = side * dilation
        repeats = ceil_div(length + shift, span)
        self.dilation = dilation
        self.padding = (shift, repeats * span - length - shift)
        self.shape = (repeats, dilation)
        positions = torch.arange(repeats * span, device='cpu') - shift
        # -> (n, w, D)
        positions = positions.view(repeats, side, dilation)
        real = (positions >= 0) & (positions < length)
        self.counts = real.sum(1).flatten()
        self.has_empty = not self.counts.all()
        sums = (positions * real).sum(1).flatten()
        centres = sums / self.counts.clamp(min=1)
        tokens = torch.arange(length, device='cpu')
        self.offsets = Offsets.between(tokens, centres)


# All layers of a stage ask for the same few.
_window_axis = cached_by_size(WindowAxis)


class WindowGrid:
    """The partition of a map into windows whose tokens lie D apart.

    D = 1 gives windows of neighbours. With any other D each token still
    belongs to exactly one window. Windows that stick out of the map are
    filled up with zeros.

    Args:
        size: (H, W) of the map.
        side: Side w of a window, in tokens.
        dilation: D of rows and of columns; None takes the smallest for which
            a window spans the map, ceil(H / w) and ceil(W / w).
        shift: Tokens by which the grid starts above and left of the map.
    """

    def __init__(
        self,
        size: tuple[int, int],
        side: int,
        dilation: tuple[int, int] | None = (1, 1),
        shift: int = 0,
    ) -> None:
        if dilation is None:
            dilation = tuple(ceil_div(length, side) for length in size)
        self.size = tuple(size)
        self.side = side
        self.rows, self.columns = (
            _window_axis(length, side, min(step, length), shift)
            for length, step in zip(size, dilation)
        )

    @property
    def is_padded(self) -> bool:
        return any((*self.rows.padding, *self.columns.padding))

    def _unfold(self, x: Tensor) -> Tensor:
        """Shape: x (B, H, W, C) -> (B, n, w, D, n, w, D, C)."""
        if self.is_padded:
            x = F.pad(x, (0, 0, *self.columns.padding, *self.rows.padding))
        x = x.unflatten(2, (-1, self.side, self.columns.dilation))
        return x.unflatten(1, (-1, self.side, self.rows.dilation))

    def cut(self, x: Tensor) -> Tensor:
        """Cut a map into windows.

        Shape: x (B, H, W, C) -> (B * nW, w, w, C).
        """
        return self._unfold(x).permute(0, 1, 3, 4, 6, 2, 5, 7).flatten(0, 4)

    def join(self, windows: Tensor) -> Tensor:
        """Undo `cut` and remove the padding.

        Shape: windows (B * nW, w, w, C) -> (B, H, W, C).
        """
        x = windows.unflatten(0, (-1, *self.rows.shape, *self.columns.shape))
        # (B, n, D, n, D, w, w, C) -> (B, n, w, D, n, w, D, C)
        x = x.permute(0, 1, 5, 2, 3, 6, 4, 7)
        x = x.flatten(4, 6).flatten(1, 3)
        top, left = self.rows.padding[0], self.columns.padding[0]
        return x[:, top : top + self.size[0], left : left + self.size[1]]

    def mean(self, x: Tensor) -> Tensor:
        """Average the tokens of the map in each window.

        Shape: x (B, H, W, C) -> (B, nW, C).
        """
        # Rows first, then columns: faster than both at once.
        means = self._unfold(x).mean(2).mean(4).flatten(1, 4)
        if self.is_padded:
            share = self._counts(x) / self.side**2
            means = means / share.clamp(min=self.side**-2)[:, None]
        return means

    def _counts(self, like: Tensor) -> Tensor:
        rows = self.rows.counts.to(like)
        return (rows[:, None] * self.columns.counts.to(like)).flatten()

    def token_bias(self, windows: Tensor) -> Tensor | None:
        """Logits that exclude padded tokens from attention within windows.

        Shape: windows (B * nW, ...) -> (B * nW, 1, 1, w * w), or None if
            nothing is padded.
        """
        if not self.is_padded:
            return None
        real = self.cut(windows.new_ones(1, *self.size, 1)).flatten(1)
        return padding_bias(real, len(windows) // len(real))

    def window_bias(self, like: Tensor) -> Tensor | None:
        """Logits that exclude windows without a token on the map.

        Shape: a tensor of the wanted type and device -> (nW,), or None if
            there is no such window.
        """
        if not (self.rows.has_empty or self.columns.has_empty):
            return None
        return (self._counts(like) == 0).to(like) * MASKED
