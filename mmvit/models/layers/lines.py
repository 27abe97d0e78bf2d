import torch
import torch.nn.functional as F
from torch import Tensor

from .attention import attention, merge_heads, split_heads
from .windows import MASKED


def to_row_groups(x: Tensor, size: int, interlaced: bool = True) -> Tensor:
    """Cut a map into groups of rows, with zeros where rows are missing.

    A map has N = ceil(H / size) groups. Interlaced, group i holds the rows
    i, i + N, i + 2N, ...; else the rows from i * s on, a stripe. Where a map
    is so low that not all `size` rows of a group can be real, s is smaller.

    Args:
        x: The map.
        size: Rows of a group.
        interlaced: Whether the rows of a group are spread over the map.

    Shape: x (B, H, W, C) -> (B * N, s, W, C), s <= size.
    """
    number = -(-x.shape[1] // size)
    if interlaced:
        # What is missing for `size` rows in all groups would be padding only.
        size = -(-x.shape[1] // number)
    else:
        size = min(size, x.shape[1])
    missing = number * size - x.shape[1]
    if missing:
        x = F.pad(x, (0, 0, 0, 0, 0, missing))
    if interlaced:
        # (B, s * N, W, C) -> (B, N, s, W, C)
        x = x.unflatten(1, (size, number)).transpose(1, 2)
    else:
        x = x.unflatten(1, (number, size))
    # -> (B * N, s, W, C)
    return x.flatten(0, 1)


def from_row_groups(
    groups: Tensor, height: int, number: int, interlaced: bool = True
) -> Tensor:
    """Put the groups of `to_row_groups` together again, without the padding.

    Args:
        groups: The groups.
        height: H of the map.
        number: Groups N of a map.
        interlaced: As for `to_row_groups`.

    Shape: groups (B * N, s, W, C) -> (B, H, W, C).
    """
    # (B * N, s, W, C) -> (B, N, s, W, C)
    x = groups.unflatten(0, (-1, number))
    if interlaced:
        x = x.transpose(1, 2)
    # -> (B, s * N, W, C) -> (B, H, W, C)
    return x.flatten(1, 2)[:, :height]


def row_padding_bias(
    height: int, size: int, interlaced: bool, like: Tensor
) -> Tensor | None:
    """Logits that keep padded keys out of the attention within row groups.

    Args:
        height: H of the map.
        size: As for `to_row_groups`.
        interlaced: As for `to_row_groups`.
        like: The groups (B * N, s, W, C).

    Returns:
        Bias (B * N, 1, 1, s * W), or None where nothing was padded.
    """
    number = -(-height // size)
    if number * like.shape[1] == height:
        return None
    width = like.shape[2]
    real = torch.ones(
        1, height, 1, 1, device=like.device, dtype=like.dtype
    ).expand(1, height, width, 1)
    # (N, s, W, 1) -> (N, 1, 1, s * W)
    real = to_row_groups(real, size, interlaced).flatten(1)[:, None, None]
    return ((1 - real) * MASKED).repeat(like.shape[0] // number, 1, 1, 1)


def attend_in_rows(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    num_heads: int,
    size: int,
    interlaced: bool = True,
    drop_rate: float = 0.0,
) -> Tensor:
    """Attention within groups of rows, all groups in one call.

    For columns pass the maps with H and W swapped.

    Args:
        q: Map of queries.
        k: Map of keys.
        v: Map of values.
        num_heads: Heads h.
        size: Rows of a group.
        interlaced: See `to_row_groups`.
        drop_rate: Share of attention weights dropped; pass 0 in evaluation.

    Shape: q, k, v (B, H, W, C) -> (B, H, W, C).
    """
    height = q.shape[1]
    # (B, H, W, C) -> (B * N, s, W, C)
    groups = [to_row_groups(part, size, interlaced) for part in (q, k, v)]
    out = attention(
        *(split_heads(part, num_heads) for part in groups),
        bias=row_padding_bias(height, size, interlaced, groups[0]),
        drop_rate=drop_rate,
    )
    out = merge_heads(out, groups[0].shape[1:3])
    return from_row_groups(out, height, -(-height // size), interlaced)


def attend_in_pales(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    num_heads: int,
    size: int,
    drop_rate: float = 0.0,
) -> Tensor:
    """Attention within pales, all in one call.

    Pale i is row group i and column group i together; a map has
    N = ceil(max(H, W) / size) of both, so that the smaller side is padded to
    the larger. A token lies in two pales, that of its row and that of its
    column (in one if they are the same), and gets the mean of both.

    Args:
        q: Map of queries.
        k: Map of keys.
        v: Map of values.
        num_heads: Heads h.
        size: Rows, and columns, of a pale.
        drop_rate: Share of attention weights dropped; pass 0 in evaluation.

    Shape: q, k, v (B, H, W, C) -> (B, H, W, C).
    """
    height, width = q.shape[1:3]
    number = -(-max(height, width) // size)
    size = -(-max(height, width) // number)
    side = number * size
    real = torch.ones(1, height, width, 1, device=q.device, dtype=q.dtype)
    pad = (0, 0, 0, side - width, 0, side - height)
    q, k, v, real = (F.pad(part, pad) for part in (q, k, v, real))

    def to_pales(x: Tensor, columns: Tensor) -> Tensor:
        # twice (B * N, s, side, C) -> (B * N, 2 * s * side, C)
        groups = (x, columns.transpose(1, 2))
        return torch.cat(
            [to_row_groups(part, size).flatten(1, 2) for part in groups], 1
        )

    # Where a pale's rows and columns cross, the key is that of the rows.
    pale = torch.arange(side, device=q.device) % number
    crosses = (pale[:, None] == pale)[None, :, :, None]
    # (N, 2 * s * side, 1) -> (N, 1, 1, 2 * s * side)
    kept = to_pales(real, real * ~crosses).transpose(1, 2)[:, None]
    out = attention(
        *(split_heads(to_pales(x, x), num_heads) for x in (q, k, v)),
        bias=((1 - kept) * MASKED).repeat(len(q), 1, 1, 1),
        drop_rate=drop_rate,
    )
    # (B * N, 2 * s, side, C) -> twice (B, side, side, C)
    rows, columns = (
        from_row_groups(part, side, number)
        for part in merge_heads(out, (2 * size, side)).chunk(2, dim=1)
    )
    out = (rows + columns.transpose(1, 2)) / 2
    return out[:, :height, :width]
