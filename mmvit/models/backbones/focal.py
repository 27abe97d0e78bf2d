"""Focal Transformer.

`Focal Self-attention for Local-Global Interactions in Vision Transformers
<https://arxiv.org/abs/2107.00641>`_. It computes the same function as the
release in another way:

- the surroundings of a window are one neighbourhood of 13x13 tokens. The
  release takes four windows shifted by 3 tokens, in which 12 tokens of the
  neighbourhood appear twice, each with a bias of its own; two such keys act as
  one whose bias is the logarithm of the sum of their exponentials (see
  `fold_ring_bias` in mmvit/checkpoints);
- of the coarse tokens only keys and values are computed;
- there is one attention call with one additive bias.

Differs from the release:

- any input size: windows that stick out of the map are padded, and the
  padding is masked;
- the border: the release wraps around the map (`border='wrap'`), which the
  paper does not mention; `border='mask'` does not;
- shifted windows (Table 8) lie on a grid that starts above and left of the
  map instead of being rolled;
- more than two focal levels (Section 3.2), of any window and region sizes.
"""

import itertools
import math
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmvit.registry import MODELS

from ..layers import (
    Attention,
    PatchEmbed,
    ResizedTable,
    WindowGrid,
    cached_by_size,
    ceil_div,
    is_symbolic,
    padding_bias,
)
from .pyramid import PyramidBackbone, doubling_arch

BORDERS = ('wrap', 'mask')
INTERACTIONS = ('local', 'global')


class WindowPooling(BaseModule):
    """Pools each sub-window by weights that all channels share.

    Eq. 1 of `Focal Transformer <https://arxiv.org/abs/2107.00641>`_. Its
    initial weights compute the mean.

    Args:
        window_size: Side of a sub-window, in tokens.

    Shape: windows (B, nW, window_size^2, C) -> (B, nW, C).
    """

    def __init__(self, window_size: int) -> None:
        super().__init__()
        # Not nn.Linear, whose weights `init_weights` would draw.
        self.weight = nn.Parameter(
            torch.full((1, window_size**2), 1 / window_size**2)
        )
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, windows: Tensor) -> Tensor:
        return (self.weight @ windows).squeeze(-2) + self.bias


class RelativePositionBias(ResizedTable):
    """Position bias of a window's queries for a square region of keys.

    The bias depends on the difference between a query's row and column in
    its window and a key's row and column in its region. With a region as
    large as the window it is the usual relative position bias.

    A table of another region is resized bilinearly when it is loaded
    (Section 4.2 of `Focal Transformer <https://arxiv.org/abs/2107.00641>`_).

    Args:
        num_heads: Heads h.
        window_size: Side w of a window.
        region: Side f of the region.

    Shape: () -> (h, T), the T = (w + f - 1)^2 values of each head;
        `index` (w * w, f * f) tells which of them a query and a key have.
    """

    def __init__(self, num_heads: int, window_size: int, region: int) -> None:
        side = window_size + region - 1
        super().__init__(side, side, num_heads)
        nn.init.trunc_normal_(self.table, std=0.02)
        # Its values are needed while the model is built, even on 'meta'.
        with torch.device('cpu'):
            offsets = torch.arange(window_size)[:, None] - torch.arange(region)
            offsets = offsets + region - 1
        # (w, f) -> (w, w, f, f)
        index = offsets[:, None, :, None] * side + offsets[:, None]
        self.index = index.flatten(2).flatten(0, 1)

    @property
    def number(self) -> int:
        """Values of each head."""
        return math.prod(self.table.shape[:2])

    def forward(self) -> Tensor:
        return self.table.flatten(0, 1).T


class Level(NamedTuple):
    """A focal level: focal window size s_w and focal region size s_r."""

    sub_window: int
    region: int

    def span(self, window_size: int) -> int:
        """Sub-windows that a window covers along an axis."""
        return max(1, window_size // self.sub_window)

    def repeats(self, window_size: int) -> int:
        """Windows along an axis that share one region."""
        return max(1, self.sub_window // window_size)


def _extended_length(length: int, side: int, shift: int, level: Level) -> int:
    """Places of an axis that is extended by the regions' reach."""
    regions = ceil_div(ceil_div(length + shift, side), level.repeats(side))
    return (regions - 1) * level.span(side) + level.region


def _extended_axis(
    length: int, side: int, shift: int, level: Level, wrap: bool
) -> tuple[Tensor, Tensor, int]:
    """Extend an axis of a level by the regions' reach.

    Returns the index of the token at each place, whether each key of each
    window is on the map, of shape (windows, region), and the level's tokens.
    """
    sub_window, region = level
    windows = ceil_div(length + shift, side)
    span, repeats = level.span(side), level.repeats(side)
    places = _extended_length(length, side, shift, level)
    index = torch.arange(places) - (region - span) // 2
    if sub_window == 1:
        if wrap:
            # Torch's ONNX exporter has no remainder by an open size.
            period = torch.full_like(index, windows * side)
            index = index.remainder(period)
        index, first, tokens = index - shift, 0, length
    else:
        # With a shift the first sub-windows may consist of padding.
        first = shift // sub_window
        tokens = ceil_div(length + shift, sub_window)
    real = ((index >= first) & (index < tokens)).unfold(0, region, span)
    real = real.repeat_interleave(repeats, 0)[:windows]
    return index.clamp(0, tokens - 1), real, tokens


@cached_by_size(
    lambda height, width, side, shift, _, *level: [
        (
            int,
            _extended_length(height, side, shift, Level(*level)),
            _extended_length(width, side, shift, Level(*level)),
        )
    ]
)
def _level_index(
    height: int, width: int, side: int, shift: int, wrap: int, *level: int
) -> Tensor:
    """Index into a level's tokens of each place of its extended map.

    Shape: () -> (H', W').
    """
    (rows, _, _), (columns, _, tokens) = (
        _extended_axis(length, side, shift, Level(*level), wrap)
        for length in (height, width)
    )
    return rows[:, None] * tokens + columns


@cached_by_size(
    lambda height, width, side, shift, _, *levels: [
        (
            float,
            ceil_div(height + shift, side) * ceil_div(width + shift, side),
            1,
            1,
            sum(region**2 for region in levels[1::2]),
        )
    ]
)
def _key_mask(
    height: int, width: int, side: int, shift: int, wrap: int, *levels: int
) -> Tensor:
    """Logits that exclude the keys of all levels that are not on the map.

    Shape: () -> (nW, 1, 1, Nk).
    """
    masks = []
    for level in zip(levels[::2], levels[1::2]):
        (_, rows, _), (_, columns, _) = (
            _extended_axis(length, side, shift, Level(*level), wrap)
            for length in (height, width)
        )
        # (nH, f), (nW, f) -> (nH, nW, f, f) -> (nH * nW, f * f)
        real = rows[:, None, :, None] & columns[:, None]
        masks.append(padding_bias(real.flatten(2).flatten(0, 1)))
    return torch.cat(masks, 1)[:, None, None]


class FocalAttention(Attention):
    """Self-attention of windows, coarser with growing distance.

    Section 3.2 and Eq. 1 to 3 of `Focal Transformer
    <https://arxiv.org/abs/2107.00641>`_.

    Args:
        embed_dims, num_heads, drops: See `Attention`.
        window_size: Side w of a window of queries, in tokens.
        levels: Focal window size s_w and focal region size s_r of each level.
            The window size of the first level is 1; a region is at least as
            large as the query's window and lies evenly around it.
        border: What the first level has beyond the map: 'wrap', the tokens of
            the other side, or 'mask', nothing.
        shift: Tokens by which the grid of windows is moved.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        window_size: int = 7,
        levels: Sequence[tuple[int, int]] = ((1, 13), (7, 7)),
        border: str = 'wrap',
        shift: int = 0,
        **drops: float,
    ) -> None:
        super().__init__(embed_dims, num_heads, **drops)
        if border not in BORDERS:
            raise ValueError(f'border {border!r} must be one of {BORDERS}')
        self.levels = tuple(Level(*level) for level in levels)
        self._check_levels(window_size)
        self.window_size = window_size
        self.border = border
        self.shift = shift
        self.q = nn.Linear(embed_dims, embed_dims)
        self.kv = nn.Linear(embed_dims, 2 * embed_dims)
        self.build_projection()
        self._build_fine_level()
        self.pools = nn.ModuleList(
            WindowPooling(sub_window) for sub_window, _ in self.levels[1:]
        )
        self.position_bias_coarse = nn.ModuleList(
            RelativePositionBias(num_heads, window_size, region)
            for _, region in self.levels[1:]
        )
        with torch.device('cpu'):
            self._build_bias_index()

    def _build_fine_level(self) -> None:
        side, region = self.window_size, self.levels[0][1]
        self.position_bias_window = RelativePositionBias(
            self.num_heads, side, side
        )
        self.position_bias_ring = None
        if region > side:
            self.position_bias_ring = nn.Parameter(
                torch.zeros(self.num_heads, side**2, region**2 - side**2)
            )
            nn.init.trunc_normal_(self.position_bias_ring, std=0.02)

    def _build_bias_index(self) -> None:
        """Find the value of each query and key among those of `_bias`."""
        side, region = self.window_size, self.levels[0].region
        reach = (region - side) // 2
        # The window's own keys, and the ring around them
        own = torch.zeros(region, region, dtype=torch.bool)
        own[reach : region - reach, reach : region - reach] = True
        own = own.flatten()
        window = self.position_bias_window
        first, ring = window.number, side**2 * (region**2 - side**2)
        fine = torch.empty(side**2, region**2, dtype=torch.long)
        fine[:, own] = window.index
        fine[:, ~own] = torch.arange(first, first + ring).view(side**2, -1)
        parts, first = [fine], first + ring
        for bias in self.position_bias_coarse:
            parts.append(bias.index + first)
            first += bias.number
        index = torch.cat(parts, 1).to(window.table.device)
        self.register_buffer('bias_index', index, persistent=False)

    def _check_levels(self, window_size: int) -> None:
        if not self.levels or self.levels[0][0] != 1:
            raise ValueError(
                f'levels {self.levels}: the first focal window size is 1, '
                'that of the tokens themselves'
            )
        for sub_window, region in self.levels:
            if window_size % sub_window and sub_window % window_size:
                raise ValueError(
                    f'a focal window of {sub_window} tokens neither divides '
                    f'nor is divided by a window of {window_size}'
                )
            span = Level(sub_window, region).span(window_size)
            if region < span or (region - span) % 2:
                raise ValueError(
                    f'a focal region of {region} sub-windows of {sub_window} '
                    f'cannot lie evenly around a window, which covers {span}: '
                    f'take {span}, {span + 2}, {span + 4}, ...'
                )

    def _bias(self) -> Tensor:
        """Position bias of a window's queries for its keys of all levels.

        Shape: () -> (h, w * w, Nk).
        """
        values = [self.position_bias_window()]
        if self.position_bias_ring is not None:
            values.append(self.position_bias_ring.flatten(1))
        values += [bias() for bias in self.position_bias_coarse]
        index = self.bias_index
        bias = torch.cat(values, 1).index_select(1, index.flatten())
        return bias.unflatten(1, index.shape)

    def _keys_and_values(
        self, tokens: Tensor, level: Level, index: Tensor
    ) -> Tensor:
        """Project the tokens of a level and lay out those of each region.

        Regions are strided windows of the extended map: in the backward pass
        each token gathers its gradients, where an index would scatter them.

        Shape: tokens (B, N, C), index (H', W') -> (2, B, nH, nW, h, f * f, d),
            the windows along each axis that have a region of their own.
        """
        region, span = level.region, level.span(self.window_size)
        kv = self.kv(tokens).index_select(1, index.flatten())
        kv = kv.unflatten(1, index.shape)
        kv = kv.unfold(1, region, span).unfold(2, region, span)
        # (B, nH, nW, 2 * h * d, f, f) -> (2, B, nH, nW, h, f, f, d)
        kv = kv.unflatten(3, (2, self.num_heads, -1))
        return kv.permute(3, 0, 1, 2, 4, 6, 7, 5).flatten(5, 6)

    def _repeat_regions(
        self, kv: Tensor, level: Level, grid: WindowGrid
    ) -> Tensor:
        """Give each window the region that it shares with its neighbours."""
        repeats = level.repeats(self.window_size)
        if repeats > 1:
            kv = kv.repeat_interleave(repeats, 2)[:, :, : grid.shape[0]]
            kv = kv.repeat_interleave(repeats, 3)[:, :, :, : grid.shape[1]]
        return kv

    def _shift_on(self, size: tuple[int, int]) -> int:
        # One window that covers the map cannot be moved.
        if is_symbolic(*size):
            is_larger = torch.sym_max(*size) // (self.window_size + 1)
            return self.shift and self.shift * torch.sym_min(1, is_larger)
        return self.shift if max(size) > self.window_size else 0

    def forward(self, x: Tensor) -> Tensor:
        size, side, heads = x.shape[1:3], self.window_size, self.num_heads
        shift = self._shift_on(size)
        grid = WindowGrid(size, side, shift=shift)
        windows = grid.cut(x).flatten(1, 2).unflatten(0, (x.shape[0], -1))
        tokens = [x.flatten(1, 2)]
        for pool, (sub_window, _) in zip(self.pools, self.levels[1:]):
            parts = windows
            if sub_window != side:
                sub_grid = WindowGrid(size, sub_window, shift=shift)
                parts = sub_grid.cut(x).flatten(1, 2)
                parts = parts.unflatten(0, (x.shape[0], -1))
            tokens.append(pool(parts))
        sizes = *size, side, shift, int(self.border == 'wrap')
        kv = []
        for level, part in zip(self.levels, tokens):
            index = _level_index(*sizes, *level, like=x)
            regions = self._keys_and_values(part, level, index)
            kv.append(self._repeat_regions(regions, level, grid))
        # (2, B, nH, nW, h, Nk, d) -> twice (B, nW * h, Nk, d)
        k, v = torch.cat(kv, 5).flatten(2, 4).unbind()
        q = self.q(windows).unflatten(3, (heads, -1))
        # (B, nW, w * w, h, d) -> (B, nW * h, w * w, d)
        q = q.transpose(2, 3).flatten(1, 2)
        levels = itertools.chain(*self.levels)
        mask = _key_mask(*sizes, *levels, like=q)
        out = self.attend_by_window(q, k, v, self._bias(), mask)
        return self.project(grid.join_heads(out, heads))


_LEVELS = dict(
    window_sizes=(7, 7, 7, 7),
    focal_windows=((1, 7), (1, 7), (1, 7), (1, 7)),
    focal_regions=((13, 7), (13, 5), (13, 3), (7, 1)),
)


@MODELS.register_module()
class FocalTransformer(PyramidBackbone):
    """Focal Transformer (Table 1).

    Args:
        arch: 'tiny', 'small', 'base', 'large', or a dict with the keys of
            `arch_zoo`'s entries: embed_dims, depths, num_heads, mlp_ratios,
            window_sizes, and for each stage the focal window sizes
            (focal_windows) and focal region sizes (focal_regions) of its
            levels. The paper's variants are `overrides` of depths (Table 9),
            window_sizes (Table 7) and focal_regions (Section 4.2).
        interactions: What a window attends to besides itself, of 'local',
            the fine tokens around it, and 'global', the coarse ones (Figure
            5). () is plain window attention.
        with_shift: Whether every second block moves its windows by half
            their side (Table 8).
        border: What the fine level has beyond the map: 'wrap', the tokens of
            the other side, as in the published weights, or 'mask', nothing.
        conv_embed: Whether the patches of the embeddings overlap.
        **kwargs: Further arguments of `PyramidBackbone`. Every output has a
            LayerNorm, whatever `final_norm` is.
    """

    # Large: 192, where the text prints 196, which no head width of 32 divides
    arch_zoo: ClassVar[dict[str, dict]] = {
        'tiny': doubling_arch(96, (2, 2, 6, 2), 3, **_LEVELS),
        'small': doubling_arch(96, (2, 2, 18, 2), 3, **_LEVELS),
        'base': doubling_arch(128, (2, 2, 18, 2), 4, **_LEVELS),
        'large': doubling_arch(192, (2, 2, 18, 2), 6, **_LEVELS),
    }

    def __init__(
        self,
        arch: str | dict = 'tiny',
        interactions: Sequence[str] = INTERACTIONS,
        with_shift: bool = False,
        border: str = 'wrap',
        conv_embed: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(arch, **kwargs)
        if not set(interactions) <= set(INTERACTIONS):
            raise ValueError(
                f'interactions {interactions!r} must be any of '
                f'{", ".join(INTERACTIONS)}'
            )
        self.interactions = tuple(interactions)
        self.with_shift = with_shift
        self.border = border
        self.conv_embed = conv_embed
        self.build_stages()

    def build_downsample(self, stage: int) -> PatchEmbed:
        if self.conv_embed:
            return self.overlapping_embed(stage, padding=2)
        return PatchEmbed(*self.widths(stage), 2 if stage else 4)

    def build_levels(self, stage: int) -> list[tuple[int, int]]:
        """Focal window size and focal region size of each level."""
        windows = self.arch['focal_windows'][stage]
        regions = self.arch['focal_regions'][stage]
        if len(windows) != len(regions):
            raise ValueError(
                f'stage {stage} has focal windows {windows!r} and regions '
                f'{regions!r}: give as many of one as of the other'
            )
        levels = list(zip(windows, regions))
        if 'local' not in self.interactions:
            levels[0] = (1, self.arch['window_sizes'][stage])
        if 'global' not in self.interactions:
            levels = levels[:1]
        return levels

    def build_attention(self, stage: int, index: int) -> FocalAttention:
        side = self.arch['window_sizes'][stage]
        return FocalAttention(
            self.embed_dims[stage],
            self.arch['num_heads'][stage],
            side,
            self.build_levels(stage),
            self.border,
            shift=side // 2 if self.with_shift and index % 2 else 0,
            **self.attn_drops,
        )

    def build_norm(self, stage: int) -> nn.LayerNorm:
        return nn.LayerNorm(self.embed_dims[stage])
