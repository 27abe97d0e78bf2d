"""Cutting maps into windows, plain, dilated or shifted."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .position_bias import Offsets
from .sizes import (
    cached_by_size,
    ceil_div,
    in_order,
    mergeable,
    multiply,
    must_fit_all,
    must_pad,
    padding_bias,
    take,
)


class WindowAxis(NamedTuple):
    """One axis of a `WindowGrid`.

    Token (i * w + j) * D + k, counted from the start of the grid, is token j
    of window i * D + k.
    """

    length: int  # Tokens of the map
    side: int  # Side w of a window, in tokens
    dilation: int  # D
    shift: int  # Tokens by which the grid starts before the map

    @property
    def shape(self) -> tuple[int, int]:
        """(n, D), whose product is the number of windows along the axis."""
        span = self.side * self.dilation
        return ceil_div(self.length + self.shift, span), self.dilation

    @property
    def windows(self) -> int:
        """Windows along the axis."""
        return math.prod(self.shape)

    @property
    def padding(self) -> tuple[int, int]:
        """Tokens added before and after the map."""
        covered = self.side * self.shape[0] * self.dilation
        return self.shift, covered - self.length - self.shift

    @property
    def has_empty(self) -> bool:
        """Whether a window has no token of the map."""
        return self.padding[1] > self.dilation * (self.side - 1)

    def positions(self) -> tuple[Tensor, Tensor]:
        """Positions of the windows' tokens, and 1 for those on the map.

        Shape: () -> twice (n * D, w).
        """
        repeats, dilation = self.shape
        positions = torch.arange(repeats * self.side * dilation) - self.shift
        # (n, w, D) -> (n, D, w) -> (n * D, w)
        positions = positions.view(repeats, self.side, dilation)
        positions = mergeable(positions.transpose(1, 2)).flatten(0, 1)
        real = (positions >= 0) & (positions < self.length)
        return positions, real.double()


def _both_axes(sizes: tuple[int, ...]) -> tuple[WindowAxis, WindowAxis]:
    return WindowAxis(*sizes[:4]), WindowAxis(*sizes[4:])


def _counts(sizes: tuple[int, ...]) -> tuple[int, int]:
    """Windows along each axis."""
    rows, columns = _both_axes(sizes)
    return rows.windows, columns.windows


@cached_by_size(
    lambda *sizes: [
        (float, None, None, 2),
        (int, sizes[0], _counts(sizes)[0]),
        (int, sizes[4], _counts(sizes)[1]),
    ]
)
def _window_offsets(*sizes: int) -> Offsets:
    axes = _both_axes(sizes)
    centres = []
    for axis in axes:
        positions, real = axis.positions()
        counts = real.sum(1).clamp(min=1)
        centres.append((positions * real).sum(1) / counts)
    tokens = (torch.arange(axis.length) for axis in axes)
    return Offsets.between(tuple(tokens), tuple(centres))


@cached_by_size(
    lambda *sizes: [(float, math.prod(_counts(sizes)), 1, 1, sizes[1] ** 2)]
)
def _token_bias(*sizes: int) -> Tensor:
    (_, rows), (_, columns) = (axis.positions() for axis in _both_axes(sizes))
    # (nH, w), (nW, w) -> (nH, nW, w, w) -> (nH * nW, 1, 1, w * w)
    real = rows[:, None, :, None] * columns[None, :, None]
    return padding_bias(real.flatten(2).flatten(0, 1)[:, None, None])


@cached_by_size(lambda *axis: [(float, WindowAxis(*axis).windows, axis[0])])
def _averages(*sizes: int) -> Tensor:
    """Weights of the tokens of an axis in the mean of each of its windows."""
    axis = WindowAxis(*sizes)
    positions, real = axis.positions()
    weights = real / real.sum(1, keepdim=True).clamp(min=1)
    # A padded position has the weight 0, whatever token it is clamped to.
    positions = positions.clamp(0, axis.length - 1)
    matrix = real.new_zeros(axis.windows, axis.length)
    return matrix.scatter_add_(1, positions, weights)


@cached_by_size(lambda *sizes: [(float, *_counts(sizes))])
def _empty_windows(*sizes: int) -> Tensor:
    rows, columns = (axis.positions()[1] for axis in _both_axes(sizes))
    real = rows.amax(1)[:, None] * columns.amax(1)
    return padding_bias(real)


class WindowGrid:
    """The partition of a map into windows whose tokens lie D apart.

    Windows that stick out of the map are filled up with zeros.

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
        elif dilation != (1, 1):
            dilation = tuple(map(torch.sym_min, dilation, size))
        self.size, self.side = tuple(size), side
        self.rows, self.columns = (
            WindowAxis(length, side, step, shift)
            for length, step in zip(size, dilation)
        )
        self.padding = (*self.columns.padding, *self.rows.padding)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of windows along each axis."""
        return self.rows.windows, self.columns.windows

    @property
    def is_padded(self) -> bool:
        return must_pad(*self.padding)

    def pad(self, x: Tensor) -> Tensor:
        """Fill up the windows: (..., H, W, C) -> (..., H', W', C)."""
        return F.pad(x, (0, 0, *self.padding)) if self.is_padded else x

    def crop(self, x: Tensor) -> Tensor:
        """Remove the padding: (B, H', W', C) -> (B, H, W, C)."""
        x = take(x, 1, self.size[0], self.rows.padding[0])
        return take(x, 2, self.size[1], self.columns.padding[0])

    def _unfold(self, x: Tensor) -> Tensor:
        """Shape: x (B, H', W', ...) -> (B, n, w, D, n, w, D, ...)."""
        x = x.unflatten(2, (-1, self.side, self.columns.dilation))
        return x.unflatten(1, (-1, self.side, self.rows.dilation))

    def cut(self, x: Tensor) -> Tensor:
        """Pad and cut a map: (B, H, W, C) -> (B * nW, w, w, C)."""
        x = self._unfold(self.pad(x)).permute(0, 1, 3, 4, 6, 2, 5, 7)
        return in_order(x).flatten(0, 4)

    def cut_heads(self, x: Tensor) -> Tensor:
        """Cut a padded map of P parts, such as q, k and v, into windows.

        Windows become heads of their image, so that all images can share one
        bias.

        Shape: x (B, H', W', P, h, d) -> (P, B, nW * h, w * w, d).
        """
        # (B, n, w, D, n, w, D, P, h, d) -> (P, B, n, D, n, D, h, w, w, d)
        x = self._unfold(x).permute(7, 0, 1, 3, 4, 6, 8, 2, 5, 9)
        return in_order(x).flatten(7, 8).flatten(2, 6)

    def join_heads(self, x: Tensor, num_heads: int) -> Tensor:
        """Undo `cut_heads`: (B, nW * h, w * w, d) -> (B, H', W', h * d)."""
        x = x.unflatten(2, (self.side, self.side))
        x = x.unflatten(1, (*self.rows.shape, *self.columns.shape, num_heads))
        # (B, n, D, n, D, h, w, w, d) -> (B, n, w, D, n, w, D, h, d)
        x = in_order(x.permute(0, 1, 6, 2, 3, 7, 4, 5, 8))
        return x.flatten(7).flatten(4, 6).flatten(1, 3)

    def mean(self, x: Tensor) -> Tensor:
        """Average the map's tokens by window: -> (B, nH, nW, C)."""
        rows = _averages(*self.rows, like=x)
        columns = _averages(*self.columns, like=x)
        # (nH, H) x (B, H, W * C) -> (B, nH, W, C)
        means = multiply(rows, x.flatten(2)).unflatten(2, x.shape[2:])
        return multiply(columns, means)

    def offsets(self, like: Tensor) -> Offsets:
        """Offsets of the map's tokens from the windows' centres.

        A centre is the mean position of the window's tokens on the map. The
        tensor `like` has the type and device of the results, here and below.
        """
        return Offsets(*_window_offsets(*self.rows, *self.columns, like=like))

    def token_bias(self, like: Tensor) -> Tensor | None:
        """Logits (nW, 1, 1, w * w) that exclude padded tokens, if any."""
        if not self.is_padded:
            return None
        return _token_bias(*self.rows, *self.columns, like=like)

    def window_bias(self, like: Tensor) -> Tensor | None:
        """Logits (nH, nW) that exclude windows without a token, if any."""
        axes = self.rows, self.columns
        if not (must_fit_all(*self.size) or any(a.has_empty for a in axes)):
            return None
        return _empty_windows(*self.rows, *self.columns, like=like)
