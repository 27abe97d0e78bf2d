import torch
import torch.nn.functional as F
from torch import Tensor

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
