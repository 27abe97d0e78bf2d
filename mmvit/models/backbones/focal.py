"""Focal Transformer.

`Focal Self-attention for Local-Global Interactions in Vision Transformers
<https://arxiv.org/abs/2107.00641>`_. It computes the same function as the
release in another way:

- the surroundings of a window are one neighbourhood of 13x13 tokens. The
  release takes four windows shifted by 3 tokens, in which 12 tokens appear
  twice, each with a bias of its own; `fold_ring_bias` in mmvit/checkpoints
  makes one bias of the two;
- of the coarse tokens only keys and values are computed, and there is one
  attention call with one additive bias.

Differs from the release:

- any input size: windows are padded, and the padding is masked;
- shifted windows (Table 8) start above and left of the map, which is not
  rolled;
- more than two focal levels (Section 3.2), of any region sizes.
"""

import itertools
import math
from collections.abc import Sequence
from typing import ClassVar

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
    in_order,
    mergeable,
    padding_bias,
)
from .pyramid import PyramidBackbone, doubling_arch

INTERACTIONS = ('local', 'global')


class WindowPooling(BaseModule):
    """Pools each sub-window by shared weights, at first the mean (Eq. 1).

    Shape: windows (n, w^2, C) -> (n, C), w being their side in tokens.
    """

    def __init__(self, window_size: int) -> None:
        super().__init__()
        weight = torch.full((1, window_size**2), 1 / window_size**2)
        # Not nn.Linear, whose weights `init_weights` would draw.
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, windows: Tensor) -> Tensor:
        weight = self.weight.expand(windows.shape[0], 1, -1)
        return torch.baddbmm(self.bias, weight, windows).squeeze(1)


class RelativePositionBias(ResizedTable):
    """Position bias of a window's queries for a square region of keys.

    The bias depends on the difference between a query's row and column in
    its window and a key's row and column in its region. A table of another
    region is resized bilinearly when it is loaded (Section 4.2).

    Shape: () -> (h, T), the T = (w + f - 1)^2 values of each head for a
        window of side w and a region of side f; `index` (w * w, f * f) tells
        which of them a query and a key have.
    """

    def __init__(self, num_heads: int, window_size: int, region: int) -> None:
        side = window_size + region - 1
        super().__init__(side, side, num_heads)
        nn.init.normal_(self.table, std=0.02)
        # Its values are needed while the model is built, even on 'meta'.
        with torch.device('cpu'):
            offsets = torch.arange(window_size)[:, None] - torch.arange(region)
            offsets = offsets + region - 1
        # (w, f) -> (w, w, f, f)
        index = offsets[:, None, :, None] * side + offsets[:, None]
        self.index = index.flatten(2).flatten(0, 1)

    def forward(self) -> Tensor:
        return self.table.flatten(0, 1).T


def _extended(windows: int, side: int, sub_window: int, region: int) -> int:
    """Tokens of a level's axis, extended by the reach of its regions."""
    return (windows - 1) * (side // sub_window) + region


def _region_shapes(
    height: int, width: int, side: int, shift: int, _: int, *levels: int
) -> list[tuple]:
    windows = [ceil_div(n + shift, side) for n in (height, width)]
    levels = list(zip(levels[::2], levels[1::2]))
    places = sum(
        math.prod(_extended(number, side, *level) for number in windows)
        for level in levels
    )
    keys = sum(region**2 for _, region in levels)
    return [(int, places), (float, math.prod(windows), 1, 1, keys)]


@cached_by_size(_region_shapes)
def _regions(
    height: int, width: int, side: int, shift: int, wrap: int, *levels: int
) -> tuple[Tensor, Tensor]:
    """Where the regions find their tokens.

    Shape: () -> the number of the token, among those of all levels, at each
        place of the levels' extended maps, and (nW, 1, 1, Nk), the logits
        that exclude the keys that are not on the map.
    """
    places, masks, first = [], [], 0
    for sub_window, region in zip(levels[::2], levels[1::2]):
        span, axes = side // sub_window, []
        for length in (height, width):
            windows = ceil_div(length + shift, side)
            index = torch.arange(_extended(windows, side, sub_window, region))
            index -= (region - span) // 2
            if wrap and sub_window == 1:
                # Torch's ONNX exporter has no remainder by an open size.
                period = torch.full_like(index, windows * span)
                index = index.remainder(period)
            # The other tokens hold nothing but padding.
            end = ceil_div(length + shift, sub_window)
            real = (index >= shift // sub_window) & (index < end)
            index = index.clamp(0, windows * span - 1)
            real = in_order(real.unfold(0, region, span))
            axes.append((index, real, windows * span))
        (rows, real_rows, high), (columns, real_columns, wide) = axes
        places.append((first + rows[:, None] * wide + columns).flatten())
        first += high * wide
        # (nH, f), (nW, f) -> (nH, nW, f, f) -> (nH * nW, f * f)
        real = real_rows[:, None, :, None] & real_columns[:, None]
        masks.append(padding_bias(real.flatten(2).flatten(0, 1)))
    return torch.cat(places), torch.cat(masks, 1)[:, None, None]


class FocalAttention(Attention):
    """Self-attention of windows, coarser with distance (Eq. 1 to 3).

    Args:
        embed_dims, num_heads, drops: See `Attention`.
        window_size: Side w of a window of queries, in tokens.
        levels: Focal window size s_w and focal region size s_r of each level.
            The first s_w is 1, the others divide w; a region is at least as
            large as the query's window and lies evenly around it.
        border: What the first level has beyond the map: 'wrap', the tokens of
            the other side, as the release has and its weights need, or
            'mask', nothing. The paper does not mention it.
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
        if border not in ('wrap', 'mask'):
            raise ValueError(f"border {border!r} must be 'wrap' or 'mask'")
        self.levels = tuple(levels)
        self._check_levels(window_size)
        self.window_size = window_size
        self.border = border
        self.shift = shift
        self.q = nn.Linear(embed_dims, embed_dims)
        self.kv = nn.Linear(embed_dims, 2 * embed_dims)
        self.build_projection()
        side, region = window_size, self.levels[0][1]
        self.position_bias_window = RelativePositionBias(num_heads, side, side)
        self.position_bias_ring = None
        if region > side:
            ring = torch.zeros(num_heads, side**2, region**2 - side**2)
            self.position_bias_ring = nn.Parameter(ring)
            nn.init.normal_(self.position_bias_ring, std=0.02)
        self.pools = nn.ModuleList(
            WindowPooling(sub_window) for sub_window, _ in self.levels[1:]
        )
        self.position_bias_coarse = nn.ModuleList(
            RelativePositionBias(num_heads, side, region)
            for _, region in self.levels[1:]
        )
        with torch.device('cpu'):
            index = self._bias_index()
        index = index.to(self.q.weight.device)
        self.register_buffer('bias_index', index, persistent=False)

    def _bias_index(self) -> Tensor:
        """Which of the values in `_bias` each query and key have."""
        side, region = self.window_size, self.levels[0][1]
        reach = (region - side) // 2
        # The window's own keys, and the ring around them
        own = torch.zeros(region, region, dtype=torch.bool)
        own[reach : region - reach, reach : region - reach] = True
        own, window = own.flatten(), self.position_bias_window.index
        fine = torch.empty(side**2, region**2, dtype=torch.long)
        fine[:, own] = window
        ring = torch.arange((~own).sum() * side**2).view(side**2, -1)
        fine[:, ~own] = ring + window.max() + 1
        parts = [fine]
        for table in self.position_bias_coarse:
            parts.append(table.index + parts[-1].max() + 1)
        return torch.cat(parts, 1)

    def _check_levels(self, window_size: int) -> None:
        if not self.levels or self.levels[0][0] != 1:
            raise ValueError(
                f'levels {self.levels}: the first focal window size is 1, '
                'that of the tokens themselves'
            )
        for sub_window, region in self.levels:
            span, rest = divmod(window_size, sub_window)
            if rest:
                raise ValueError(
                    f'a focal window of {sub_window} tokens does not divide '
                    f'a window of {window_size}'
                )
            if region < span or (region - span) % 2:
                raise ValueError(
                    f'a focal region of {region} sub-windows of {sub_window} '
                    f'cannot lie evenly around a window, which covers {span}: '
                    f'take {span}, {span + 2}, {span + 4}, ...'
                )

    def _bias(self) -> Tensor:
        """Position bias (h, w * w, Nk) of queries for keys of all levels."""
        values = [self.position_bias_window()]
        if self.position_bias_ring is not None:
            values.append(self.position_bias_ring.flatten(1))
        values += [bias() for bias in self.position_bias_coarse]
        index = self.bias_index
        bias = torch.cat(values, 1).index_select(1, index.flatten())
        return bias.unflatten(1, index.shape)

    def _keys_and_values(
        self, tokens: Tensor, index: Tensor, grid: WindowGrid
    ) -> Tensor:
        """Project the tokens of all levels and lay out those of each window.

        Regions are strided windows of the extended map: in the backward pass
        each token gathers its gradients, where an index would scatter them.

        Shape: tokens (B, N, C), index as `_regions` -> (2, B, nW * h, Nk, d).
        """
        side = self.window_size
        sizes = [
            [_extended(windows, side, *level) for windows in grid.shape]
            for level in self.levels
        ]
        kv = self.kv(tokens).index_select(1, index)
        kv = kv.unflatten(2, (2, self.num_heads, -1))
        parts, regions = kv.split([math.prod(n) for n in sizes], 1), []
        for part, size, level in zip(parts, sizes, self.levels):
            region, span = level[1], side // level[0]
            part = part.unflatten(1, size)
            part = part.unfold(1, region, span).unfold(2, region, span)
            # (B, nH, nW, 2, h, d, f, f) -> (2, B, nH, nW, h, f * f, d)
            part = part.permute(3, 0, 1, 2, 4, 6, 7, 5)
            regions.append(mergeable(part).flatten(5, 6))
        return torch.cat(regions, 5).flatten(2, 4)

    def forward(self, x: Tensor) -> Tensor:
        size, side, heads = x.shape[1:3], self.window_size, self.num_heads
        # One window that covers the map cannot be moved.
        is_larger = torch.sym_min(torch.sym_max(*size) // (side + 1), 1)
        shift = self.shift and self.shift * is_larger
        grid = WindowGrid(size, side, shift=shift)
        x = grid.pad(x)
        tokens = [x.flatten(1, 2)]
        for pool, (sub_window, _) in zip(self.pools, self.levels[1:]):
            windows = WindowGrid(x.shape[1:3], sub_window).cut(x)
            pooled = pool(windows.flatten(1, 2))
            tokens.append(pooled.unflatten(0, (x.shape[0], -1)))
        levels = itertools.chain(*self.levels)
        index, mask = _regions(
            *size, side, shift, int(self.border == 'wrap'), *levels, like=x
        )
        kv = self._keys_and_values(torch.cat(tokens, 1), index, grid)
        q = grid.cut_heads(self.q(x).unflatten(3, (1, heads, -1))).squeeze(0)
        out = self.attend_by_window(q, *kv.unbind(), self._bias(), mask)
        return grid.crop(self.project(grid.join_heads(out, heads)))


_LEVELS = dict(
    window_sizes=(7, 7, 7, 7),
    focal_windows=((1, 7), (1, 7), (1, 7), (1, 7)),
    focal_regions=((13, 7), (13, 5), (13, 3), (7, 1)),
)


@MODELS.register_module()
class FocalTransformer(PyramidBackbone):
    """Focal Transformer (Table 1).

    Args:
        arch, kwargs: See `PyramidBackbone`; for each stage it has the focal
            window sizes (focal_windows) and focal region sizes
            (focal_regions) of its levels. The paper's variants are
            `overrides` of depths (Table 9), window_sizes (Table 7) and
            focal_regions (Section 4.2). Every output has a LayerNorm,
            whatever `final_norm` is.
        interactions: What a window attends to, besides itself: 'local', the
            fine tokens around it, 'global', the coarse ones (Figure 5).
        with_shift: Whether every second block moves its windows by half
            their side (Table 8).
        border: See `FocalAttention`.
        conv_embed: Whether the patches of the embeddings overlap.
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
            window_size=side,
            levels=self.build_levels(stage),
            border=self.border,
            shift=side // 2 if self.with_shift and index % 2 else 0,
            **self.attn_args(stage),
        )

    def build_norm(self, stage: int) -> nn.LayerNorm:
        return nn.LayerNorm(self.embed_dims[stage])
