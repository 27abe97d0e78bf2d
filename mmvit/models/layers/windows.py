import torch
import torch.nn.functional as F
from torch import Tensor

from .position import Offsets, constant_result

# Added to the logit of a padded key. Finite, since a window of nothing but
# padding would give NaN with -inf.
MASKED = -1e4


def _padding(length: int, side: int, shift: int) -> tuple[int, int]:
    return shift, -(length + shift) % side


def to_windows(x: Tensor, side: int, shift: int = 0) -> Tensor:
    """Cut a map into windows, with zeros where the last ones stick out.

    Args:
        x: The map.
        side: Side w of a window, in tokens.
        shift: Tokens by which the grid of windows starts above and left of
            the map.

    Shape: x (B, H, W, C) -> (B * nW, w, w, C), nW = ceil((H + shift) / w) *
        ceil((W + shift) / w).
    """
    top, bottom = _padding(x.shape[1], side, shift)
    left, right = _padding(x.shape[2], side, shift)
    if top or bottom or left or right:
        x = F.pad(x, (0, 0, left, right, top, bottom))
    # (B, H, W, C) -> (B, H / w, w, W / w, w, C)
    x = x.unflatten(2, (-1, side)).unflatten(1, (-1, side))
    # -> (B, H / w, W / w, w, w, C) -> (B * nW, w, w, C)
    return x.transpose(2, 3).flatten(0, 2)


def from_windows(
    windows: Tensor, size: tuple[int, int], shift: int = 0
) -> Tensor:
    """Put the windows of `to_windows` together again, without the padding.

    Args:
        windows: The windows.
        size: (H, W) of the map.
        shift: As for `to_windows`.

    Shape: windows (B * nW, w, w, C) -> (B, H, W, C).
    """
    side = windows.shape[1]
    rows, columns = (-(-(length + shift) // side) for length in size)
    # -> (B, H / w, W / w, w, w, C) -> (B, H, W, C)
    x = windows.unflatten(0, (-1, rows, columns)).transpose(2, 3)
    x = x.flatten(3, 4).flatten(1, 2)
    return x[:, shift : shift + size[0], shift : shift + size[1]]


def padding_bias(
    size: tuple[int, int], side: int, shift: int, like: Tensor
) -> Tensor | None:
    """Logits that keep padded keys out of the attention within windows.

    Args:
        size: (H, W) of the map.
        side: Side w of a window.
        shift: As for `to_windows`.
        like: Windows (B * nW, ...), which give batch, type and device.

    Returns:
        Bias (B * nW, 1, 1, w * w), or None where nothing was padded.
    """
    if not shift and not size[0] % side and not size[1] % side:
        return None
    real = to_windows(
        torch.ones(1, *size, 1, device=like.device, dtype=like.dtype),
        side,
        shift,
    )
    # (nW, w, w, 1) -> (nW, 1, 1, w * w)
    bias = (1 - real.flatten(1)[:, None, None]) * MASKED
    return bias.repeat(like.shape[0] // len(bias), 1, 1, 1)


class WindowAxis:
    """One axis of a `WindowGrid`.

    Attributes:
        dilation: D.
        padding: Tokens added at the end.
        shape: (n, D), whose product is the number of windows side by side.
        counts: Tokens of the map in each of these windows.
        has_empty: Whether one of them has none.
        offsets: How far the map's tokens lie from these windows' centres,
            which are where their tokens of the map lie on average.
    """

    def __init__(self, length: int, side: int, dilation: int) -> None:
        repeats = -(-length // (side * dilation))
        self.dilation = dilation
        self.padding = repeats * side * dilation - length
        self.shape = (repeats, dilation)
        tokens = torch.arange(length + self.padding, device='cpu')
        # -> (n, w, D)
        tokens = tokens.view(repeats, side, dilation)
        real = tokens < length
        self.counts = real.sum(1).flatten()
        self.has_empty = not self.counts.all()
        sums = (tokens * real).sum(1).flatten()
        centres = sums / self.counts.clamp(min=1)
        places = torch.arange(length, device='cpu')
        self.offsets = Offsets.between(places, centres)


@constant_result
def _window_axis(length: int, side: int, dilation: int) -> WindowAxis:
    # All layers of a stage ask for the same few.
    return WindowAxis(length, side, dilation)


class WindowGrid:
    """How a map is cut into windows whose tokens lie D apart.

    D = 1 gives windows of neighbours; any other a strided partition, in
    which every token belongs to exactly one window all the same. Where
    windows stick out of the map they are filled up with zeros.

    Args:
        size: (H, W) of the map.
        side: Side w of a window, in tokens.
        dilation: D, for rows and for columns; None takes the smallest for
            which the windows span the map, ceil(H / w) and ceil(W / w).
    """

    def __init__(
        self,
        size: tuple[int, int],
        side: int,
        dilation: tuple[int, int] | None = (1, 1),
    ) -> None:
        if dilation is None:
            dilation = tuple(-(-length // side) for length in size)
        self.size = tuple(size)
        self.side = side
        self.rows, self.columns = (
            _window_axis(length, side, min(step, length))
            for length, step in zip(size, dilation)
        )

    @property
    def is_padded(self) -> bool:
        return bool(self.rows.padding or self.columns.padding)

    @property
    def centre_offsets(self) -> tuple[Offsets, Offsets]:
        """How far tokens lie from windows' centres: rows, columns."""
        return self.rows.offsets, self.columns.offsets

    def _unfold(self, x: Tensor) -> Tensor:
        # (B, H, W, C) -> (B, n, w, D, n, w, D, C): the window that token
        # (i * w + j) * D + k of an axis belongs to has the number i * D + k.
        if self.is_padded:
            x = F.pad(x, (0, 0, 0, self.columns.padding, 0, self.rows.padding))
        x = x.unflatten(2, (-1, self.side, self.columns.dilation))
        return x.unflatten(1, (-1, self.side, self.rows.dilation))

    def cut(self, x: Tensor) -> Tensor:
        """Cut the map into windows.

        Shape: x (B, H, W, C) -> (B * nW, w, w, C).
        """
        x = self._unfold(x).permute(0, 1, 3, 4, 6, 2, 5, 7)
        return x.flatten(0, 4)

    def join(self, windows: Tensor) -> Tensor:
        """Undo `cut`, without the padding.

        Shape: windows (B * nW, w, w, C) -> (B, H, W, C).
        """
        x = windows.unflatten(
            0,
            (-1, *self.rows.shape, *self.columns.shape),
        )
        # (B, n, D, n, D, w, w, C) -> (B, n, w, D, n, w, D, C)
        x = x.permute(0, 1, 5, 2, 3, 6, 4, 7)
        x = x.flatten(4, 6).flatten(1, 3)
        return x[:, : self.size[0], : self.size[1]]

    def mean(self, x: Tensor) -> Tensor:
        """Mean of each window, over the tokens that it has on the map.

        Shape: x (B, H, W, C) -> (B, nW, C).
        """
        # Over rows, then over columns: faster than both at once.
        means = self._unfold(x).mean(2).mean(4).flatten(1, 4)
        if self.is_padded:
            share = self._counts(x) / self.side**2
            means = means / share.clamp(min=self.side**-2)[:, None]
        return means

    def _counts(self, like: Tensor) -> Tensor:
        rows = self.rows.counts.to(like)
        return (rows[:, None] * self.columns.counts.to(like)).flatten()

    def token_bias(self, like: Tensor) -> Tensor | None:
        """Logits that keep padded tokens out of the attention in windows.

        Args:
            like: Windows (B * nW, ...), which give batch, type and device.

        Returns:
            Bias (B * nW, 1, 1, w * w), or None where nothing was padded.
        """
        if not self.is_padded:
            return None
        real = self.cut(like.new_ones(1, *self.size, 1))
        bias = (1 - real.flatten(1)[:, None, None]) * MASKED
        return bias.repeat(like.shape[0] // len(bias), 1, 1, 1)

    def window_bias(self, like: Tensor) -> Tensor | None:
        """Logits that keep windows out that lie outside of the map.

        Args:
            like: A tensor that gives type and device.

        Returns:
            Bias (nW,), or None where each window has a token of the map.
        """
        if not (self.rows.has_empty or self.columns.has_empty):
            return None
        return (self._counts(like) == 0).to(like) * MASKED
