"""Focal Transformer.

`Focal Self-attention for Local-Global Interactions in Vision Transformers
<https://arxiv.org/abs/2107.00641>`_. It computes the same function as the
release in another way:

- the surroundings of a window are one neighbourhood of 13x13 tokens, gathered
  once together with the coarse tokens. The release takes four windows shifted
  by 3 tokens, in which 12 tokens of the neighbourhood appear twice, each with
  a bias of its own; two such keys act as one whose bias is the logarithm of
  the sum of their exponentials (see `fold_ring_bias` in mmvit/checkpoints);
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

from collections.abc import Sequence
from typing import ClassVar

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmvit.registry import MODELS

from ..layers import (
    MASKED,
    Attention,
    PatchEmbed,
    ResizedTable,
    WindowGrid,
    ceil_div,
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

    Shape: () -> (h, w * w, f * f).
    """

    def __init__(self, num_heads: int, window_size: int, region: int) -> None:
        side = window_size + region - 1
        super().__init__(side, side, num_heads)
        nn.init.trunc_normal_(self.table, std=0.02)
        offsets = torch.arange(window_size)[:, None] - torch.arange(region)
        offsets = offsets + region - 1
        # (w, f) -> (w, w, f, f)
        index = offsets[:, None, :, None] * side + offsets[:, None]
        index = index.flatten(2).flatten(0, 1)
        self.register_buffer('index', index, persistent=False)

    def forward(self) -> Tensor:
        # (w * w, f * f, h) -> (h, w * w, f * f)
        return self.table.flatten(0, 1)[self.index].permute(2, 0, 1)


def _tokens_of(windows: Tensor, batch_size: int) -> Tensor:
    """Shape: windows (B * nW, w, w, C) -> (B, nW, w * w, C)."""
    return windows.flatten(1, 2).unflatten(0, (batch_size, -1))


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
        self.levels = tuple(tuple(level) for level in levels)
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
        # The order of the fine keys: the window's own, then the ring around.
        ring = torch.ones(region, region, dtype=torch.bool, device='cpu')
        reach = (region - side) // 2
        ring[reach : region - reach, reach : region - reach] = False
        order = ring.flatten().argsort(stable=True)
        self.register_buffer('fine_order', order, persistent=False)

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
            span = max(1, window_size // sub_window)
            if region < span or (region - span) % 2:
                raise ValueError(
                    f'a focal region of {region} sub-windows of {sub_window} '
                    f'cannot lie evenly around a window, which covers {span}: '
                    f'take {span}, {span + 2}, {span + 4}, ...'
                )

    def _axis_keys(
        self,
        length: int,
        shift: int,
        level: tuple[int, int],
        device: torch.device,
    ) -> tuple[Tensor, Tensor, int]:
        """Find the tokens of a level that are keys, along an axis of `length`.

        Returns their indices and whether they are on the map, both
        (windows, region), and the number of the level's tokens.
        """
        sub_window, region = level
        windows = ceil_div(length + shift, self.window_size)
        start = torch.arange(windows, device=device) * self.window_size
        span = max(1, self.window_size // sub_window)
        start = start // sub_window - (region - span) // 2
        index = start[:, None] + torch.arange(region, device=device)
        if sub_window == 1:
            if self.border == 'wrap':
                index = index % (windows * self.window_size)
            index, first, tokens = index - shift, 0, length
        else:
            # With a shift the first sub-windows may consist of padding.
            first = shift // sub_window
            tokens = ceil_div(length + shift, sub_window)
        real = (index >= first) & (index < tokens)
        return index.clamp(0, tokens - 1), real, tokens

    def _neighbours(
        self, size: Sequence[int], shift: int, device: torch.device
    ) -> tuple[Tensor, Tensor]:
        """Find the keys of each window of a map of `size` (H, W).

        Returns their indices into the concatenated tokens of all levels, and
        whether they are on the map, both (nW, Nk).
        """
        indices, reals, first = [], [], 0
        for level in self.levels:
            (rows, real_rows, height), (columns, real_columns, width) = (
                self._axis_keys(length, shift, level, device)
                for length in size
            )
            index = rows[:, None, :, None] * width + columns[:, None] + first
            real = real_rows[:, None, :, None] & real_columns[:, None]
            # (nH, nW, f, f) -> (nH * nW, f * f)
            indices.append(index.flatten(2).flatten(0, 1))
            reals.append(real.flatten(2).flatten(0, 1))
            first += height * width
        indices[0] = indices[0][:, self.fine_order]
        reals[0] = reals[0][:, self.fine_order]
        return torch.cat(indices, 1), torch.cat(reals, 1)

    def _bias(self, real: Tensor) -> Tensor:
        """Add the position biases and the mask of padded keys.

        Shape: real (nW, Nk) -> (1, h * nW, w * w, Nk).
        """
        parts = [self.position_bias_window()]
        if self.position_bias_ring is not None:
            parts.append(self.position_bias_ring)
        parts += [bias() for bias in self.position_bias_coarse]
        position = torch.cat(parts, dim=-1)
        mask = position.new_zeros(real.shape).masked_fill_(~real, MASKED)
        # (h, w * w, Nk) + (nW, Nk) -> (h, nW, w * w, Nk)
        return (position[:, None] + mask[:, None]).flatten(0, 1)[None]

    def _keys_and_values(
        self, tokens: Tensor, index: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Project the tokens of all levels and gather those of each window.

        Shape: tokens (B, N, C), index (nW, Nk) -> twice (B, h * nW, Nk, d).
        """
        kv = self.kv(tokens)
        # (B, N, 2 * C) -> (B, h, N, 2 * d), a head's k and v side by side
        kv = kv.unflatten(2, (2, self.num_heads, -1)).permute(0, 3, 1, 2, 4)
        kv = kv.flatten(3).index_select(2, index.flatten())
        # Windows become heads, so that all images share one bias.
        kv = kv.unflatten(2, index.shape).flatten(1, 2)
        return kv.chunk(2, dim=-1)

    def forward(self, x: Tensor) -> Tensor:
        size, side = x.shape[1:3], self.window_size
        # One window that covers the map cannot be moved.
        shift = self.shift if max(size) > side else 0
        grid = WindowGrid(size, side, shift=shift)
        windows = _tokens_of(grid.cut(x), len(x))
        tokens = [x.flatten(1, 2)]
        for pool, (sub_window, _) in zip(self.pools, self.levels[1:]):
            parts = windows
            if sub_window != side:
                sub_grid = WindowGrid(size, sub_window, shift=shift)
                parts = _tokens_of(sub_grid.cut(x), len(x))
            tokens.append(pool(parts))
        index, real = self._neighbours(size, shift, x.device)
        k, v = self._keys_and_values(torch.cat(tokens, 1), index)
        q = self.q(windows).unflatten(3, (self.num_heads, -1))
        # (B, nW, w * w, h, d) -> (B, h * nW, w * w, d)
        q = q.permute(0, 3, 1, 2, 4).flatten(1, 2)
        out = self.attend_by_head(q, k, v, self._bias(real).to(q.dtype))
        # -> (B, h, nW, w * w, d) -> (B * nW, w, w, C)
        out = out.unflatten(1, (self.num_heads, -1)).permute(0, 2, 3, 1, 4)
        out = out.flatten(3).flatten(0, 1).unflatten(1, (side, side))
        return self.project(grid.join(out))


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
