"""Focal Transformer.

`Focal Self-attention for Local-Global Interactions in Vision Transformers
<https://arxiv.org/abs/2107.00641>`_. The same function as the release, in
another form:

- the surroundings of a window are one neighbourhood of 13x13 tokens, gathered
  once together with the coarse tokens. The release takes four windows shifted
  by 3 tokens, in which 12 tokens of the neighbourhood stand twice, each with a
  bias of its own; two such keys act as one with the logarithm of the sum of
  their exponentials as bias (see mmvit/checkpoints/focal.py);
- of the coarse tokens only keys and values are computed;
- one attention call with one additive bias.

It differs from the release in:

- any input size: windows that stick out of the map are padded, and what is
  padded is no key;
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
    PatchEmbed,
    PositionTable,
    TransformerBlock,
    attention,
    to_windows,
)
from ..layers.windows import MASKED
from .pyramid import NUM_STAGES, PyramidBackbone, resolve_arch

BORDERS = ('wrap', 'mask')
INTERACTIONS = ('local', 'global')


class WindowPooling(BaseModule):
    """A token for each sub-window, by one set of weights for all channels.

    Eq. 1 of `Focal Transformer <https://arxiv.org/abs/2107.00641>`_. It
    starts as the mean.

    Args:
        window_size: Side of a sub-window, in tokens.

    Shape: windows (B, nW, window_size^2, C) -> (B, nW, C).
    """

    def __init__(self, window_size: int) -> None:
        super().__init__()
        # Not a linear layer, whose weights would be drawn at random.
        self.weight = nn.Parameter(
            torch.full((1, window_size**2), 1 / window_size**2)
        )
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, windows: Tensor) -> Tensor:
        return (self.weight @ windows).squeeze(-2) + self.bias


class RegionBias(BaseModule):
    """Position bias of a window's queries for a square of keys.

    The bias depends on the difference of a query's row and column in its
    window and a key's row and column in its region. With a region as large
    as the window it is the usual relative position bias.

    Loaded from a file with another region, the table is resized bilinearly
    (Section 4.2 of `Focal Transformer <https://arxiv.org/abs/2107.00641>`_).

    Args:
        num_heads: Heads h.
        window_size: Side w of a window.
        region: Side f of the region.

    Shape: () -> (h, w * w, f * f).
    """

    def __init__(self, num_heads: int, window_size: int, region: int) -> None:
        super().__init__()
        side = window_size + region - 1
        self.table = nn.Parameter(torch.zeros(side, side, num_heads))
        nn.init.trunc_normal_(self.table, std=0.02)
        offsets = torch.arange(window_size)[:, None] - torch.arange(region)
        offsets = offsets + region - 1
        # (w, f) -> (w, w, f, f)
        index = offsets[:, None, :, None] * side + offsets[:, None]
        self.register_buffer(
            'index', index.flatten(2).flatten(0, 1), persistent=False
        )

    @staticmethod
    def resize(table: Tensor, size: Sequence[int]) -> Tensor:
        """Shape: table (f0, f0, h) -> (f1, f1, h) for `size` (f1, f1)."""
        return PositionTable.resize(table[None], size)[0]

    def forward(self) -> Tensor:
        # (w * w, f * f, h) -> (h, w * w, f * f)
        return self.table.flatten(0, 1)[self.index].permute(2, 0, 1)

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args, **kwargs
    ) -> None:
        key = f'{prefix}table'
        loaded = state_dict.get(key)
        own = self.table.shape
        if loaded is not None and loaded.shape[2:] == own[2:]:
            state_dict[key] = self.resize(loaded, own[:2])
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _surroundings(
    length: int,
    window_size: int,
    shift: int,
    level: tuple[int, int],
    wrap: bool,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Which tokens of a level are keys, along one axis.

    Args:
        length: H or W of the map.
        window_size: Side w of a window.
        shift: Tokens by which the first window starts before the map.
        level: Focal window size and focal region size.
        wrap: Whether tokens follow on those at the other end.
        device: Of the result.

    Returns:
        Indices into the level's tokens, and whether they are real, both
        (windows, region).
    """
    sub_window, region = level
    windows = -(-(length + shift) // window_size)
    start = torch.arange(windows, device=device) * window_size // sub_window
    start = start - (region - max(1, window_size // sub_window)) // 2
    index = start[:, None] + torch.arange(region, device=device)
    if sub_window == 1:
        if wrap:
            index = index % (windows * window_size)
        index, first, tokens = index - shift, 0, length
    else:
        # With a shift the first sub-windows may hold nothing but padding.
        first, tokens = shift // sub_window, -(-(length + shift) // sub_window)
    real = (index >= first) & (index < tokens)
    return index.clamp(0, tokens - 1), real


class FocalAttention(BaseModule):
    """Self-attention of windows to their surroundings, the farther the
    coarser.

    Section 3.2 and Eq. 1 to 3 of `Focal Transformer
    <https://arxiv.org/abs/2107.00641>`_.

    Args:
        embed_dims: Channels C of input and output.
        num_heads: Heads h.
        window_size: Side w of a window of queries, in tokens.
        levels: Focal window size s_w and focal region size s_r of each level.
            The first one's window size is 1; a region is at least as large as
            the query's window and lies evenly around it.
        border: What the first level has beyond the map: 'wrap', the tokens of
            the other side, or 'mask', nothing.
        shift: Tokens by which the grid of windows is moved.
        qkv_bias: Whether the projections to q, k and v have a bias.
        attn_drop_rate: Dropout of the attention weights.
        drop_rate: Dropout of the output.

    Shape: x (B, H, W, C) -> (B, H, W, C).

    Raises:
        ValueError: If the levels do not fit the window; says how they would.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        window_size: int = 7,
        levels: Sequence[tuple[int, int]] = ((1, 13), (7, 7)),
        border: str = 'wrap',
        shift: int = 0,
        qkv_bias: bool = True,
        attn_drop_rate: float = 0.0,
        drop_rate: float = 0.0,
    ) -> None:
        super().__init__()
        if border not in BORDERS:
            raise ValueError(f'border {border!r} must be one of {BORDERS}')
        self.levels = tuple(tuple(level) for level in levels)
        self._check_levels(window_size)
        self.num_heads = num_heads
        self.window_size = window_size
        self.border = border
        self.shift = shift
        self.attn_drop_rate = attn_drop_rate
        self.q = nn.Linear(embed_dims, embed_dims, bias=qkv_bias)
        self.kv = nn.Linear(embed_dims, 2 * embed_dims, bias=qkv_bias)
        self.proj = nn.Linear(embed_dims, embed_dims)
        self.proj_drop = nn.Dropout(drop_rate)
        self.position_bias_window = RegionBias(
            num_heads, window_size, window_size
        )
        region = self.levels[0][1]
        self.position_bias_ring = None
        if region > window_size:
            ring = region**2 - window_size**2
            self.position_bias_ring = nn.Parameter(
                torch.zeros(num_heads, window_size**2, ring)
            )
            nn.init.trunc_normal_(self.position_bias_ring, std=0.02)
        self.pools = nn.ModuleList(
            WindowPooling(sub_window) for sub_window, _ in self.levels[1:]
        )
        self.position_bias_coarse = nn.ModuleList(
            RegionBias(num_heads, window_size, region)
            for _, region in self.levels[1:]
        )
        # The fine keys: first the window's own, then the ring around it.
        inside = torch.zeros(region, region, dtype=torch.bool, device='cpu')
        reach = (region - window_size) // 2
        inside[reach : region - reach, reach : region - reach] = True
        order = torch.cat([inside.flatten(), ~inside.flatten()]).nonzero()
        self.register_buffer(
            'fine_order', order[:, 0] % region**2, persistent=False
        )

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

    def _neighbours(
        self, size: Sequence[int], shift: int, device: torch.device
    ) -> tuple[Tensor, Tensor]:
        """Find the keys of each window.

        Args:
            size: (H, W) of the map.
            shift: Tokens by which the grid of windows is moved.
            device: Of the result.

        Returns:
            Indices into the tokens of all levels, one after the other, and
            whether they are real, both (nW, Nk).
        """
        indices, reals, first = [], [], 0
        for number, level in enumerate(self.levels):
            (rows, real_rows), (columns, real_columns) = (
                _surroundings(
                    length,
                    self.window_size,
                    shift,
                    level,
                    self.border == 'wrap',
                    device,
                )
                for length in size
            )
            height, width = (
                length if number == 0 else -(-(length + shift) // level[0])
                for length in size
            )
            index = rows[:, None, :, None] * width + columns[:, None] + first
            real = real_rows[:, None, :, None] & real_columns[:, None]
            index, real = (
                part.flatten(2).flatten(0, 1) for part in (index, real)
            )
            if number == 0:
                index, real = (
                    index[:, self.fine_order],
                    real[:, self.fine_order],
                )
            indices.append(index)
            reals.append(real)
            first += height * width
        return torch.cat(indices, 1), torch.cat(reals, 1)

    def _bias(self, real: Tensor) -> Tensor:
        """Bias of positions and padding.

        Shape: real (nW, Nk) -> (1, h * nW, w * w, Nk).
        """
        parts = [self.position_bias_window()]
        if self.position_bias_ring is not None:
            parts.append(self.position_bias_ring)
        parts += [bias() for bias in self.position_bias_coarse]
        position = torch.cat(parts, dim=-1)
        mask = torch.zeros(
            real.shape, dtype=position.dtype, device=real.device
        ).masked_fill_(~real, MASKED)
        # (h, w * w, Nk) + (nW, Nk) -> (h, nW, w * w, Nk)
        return (position[:, None] + mask[:, None]).flatten(0, 1)[None]

    def forward(self, x: Tensor) -> Tensor:
        batch, *size, _ = x.shape
        side = self.window_size
        # One window that covers the map cannot be moved.
        shift = self.shift if max(size) > side else 0
        index, real = self._neighbours(size, shift, x.device)
        # (B * nW, w, w, C) -> (B, nW, w * w, C)
        windows = to_windows(x, side, shift).flatten(1, 2)
        windows = windows.unflatten(0, (batch, -1))
        tokens = [x.flatten(1, 2)]
        for pool, (sub_window, _) in zip(self.pools, self.levels[1:]):
            fine = windows
            if sub_window != side:
                fine = to_windows(x, sub_window, shift).flatten(1, 2)
                fine = fine.unflatten(0, (batch, -1))
            tokens.append(pool(fine))
        kv = self.kv(torch.cat(tokens, 1))
        # (B, N, 2 * C) -> (B, h, N, 2 * d), a head's k and v side by side
        kv = kv.unflatten(2, (2, self.num_heads, -1)).permute(0, 3, 1, 2, 4)
        kv = kv.flatten(3).index_select(2, index.flatten())
        # -> (B, h * nW, Nk, d), twice: windows as heads, so that images share
        # the bias
        kv = kv.unflatten(2, index.shape).flatten(1, 2)
        k, v = kv.chunk(2, dim=-1)
        q = self.q(windows).unflatten(3, (self.num_heads, -1))
        # (B, nW, w * w, h, d) -> (B, h * nW, w * w, d)
        q = q.permute(0, 3, 1, 2, 4).flatten(1, 2)
        out = attention(
            q,
            k,
            v,
            bias=self._bias(real).to(q.dtype),
            drop_rate=self.attn_drop_rate if self.training else 0.0,
        )
        return self.proj_drop(self.proj(self._to_map(out, size, shift)))

    def _to_map(self, out: Tensor, size: Sequence[int], shift: int) -> Tensor:
        """Shape: out (B, h * nW, w * w, d) -> (B, H, W, h * d)."""
        side = self.window_size
        rows = -(-(size[0] + shift) // side)
        # -> (B, h, H / w, W / w, w, w, d)
        out = out.unflatten(1, (self.num_heads, rows, -1))
        out = out.unflatten(4, (side, side))
        # -> (B, H / w, w, W / w, w, h, d) -> (B, H, W, C)
        out = out.permute(0, 2, 4, 3, 5, 1, 6)
        out = out.flatten(5).flatten(3, 4).flatten(1, 2)
        return out[:, shift : shift + size[0], shift : shift + size[1]]


def _arch(
    embed_dims: int, num_heads: int, depths: tuple[int, ...]
) -> dict[str, tuple]:
    """A size of Table 1, whose sizes differ in width and depth only."""
    return dict(
        embed_dims=tuple(embed_dims * 2**i for i in range(NUM_STAGES)),
        depths=depths,
        num_heads=tuple(num_heads * 2**i for i in range(NUM_STAGES)),
        mlp_ratios=(4, 4, 4, 4),
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
            levels.
        overrides: Keys of the size to replace: depths (Table 9),
            window_sizes (Table 7), focal_regions (Section 4.2), ...
        in_channels: Channels of the image.
        interactions: What a window attends to besides itself, of 'local',
            the fine tokens around it, and 'global', the coarse ones (Figure
            5). With () it is plain window attention.
        with_shift: Whether every second block moves its windows by half
            their side (Table 8).
        border: What the fine level has beyond the map: 'wrap', the tokens of
            the other side, as the published weights know it, or 'mask',
            nothing.
        conv_embed: Whether the patches of the embeddings overlap.
        qkv_bias: Whether the projections to q, k and v have a bias.
        drop_rate: Dropout of attention outputs and MLPs.
        attn_drop_rate: Dropout of the attention weights.
        drop_path_rate: Stochastic depth of the last block.
        out_indices: Stages whose maps are returned, each after a LayerNorm.
        frozen_stages: See `PyramidBackbone`.
        with_cp: See `PyramidBackbone`.
        init_cfg: See `PyramidBackbone`.

    Shape: image (B, in_channels, H, W) -> maps (B, C_i, ceil(H / s_i),
        ceil(W / s_i)), s = 4, 8, 16, 32.

    Raises:
        ValueError: If an argument has no meaning; says which have.
    """

    # Large: 192, where the text prints 196, which no head width of 32 divides
    arch_zoo: ClassVar[dict[str, dict]] = {
        'tiny': _arch(96, 3, (2, 2, 6, 2)),
        'small': _arch(96, 3, (2, 2, 18, 2)),
        'base': _arch(128, 4, (2, 2, 18, 2)),
        'large': _arch(192, 6, (2, 2, 18, 2)),
    }

    def __init__(
        self,
        arch: str | dict = 'tiny',
        overrides: dict | None = None,
        in_channels: int = 3,
        interactions: Sequence[str] = INTERACTIONS,
        with_shift: bool = False,
        border: str = 'wrap',
        conv_embed: bool = False,
        qkv_bias: bool = True,
        drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        frozen_stages: int = -1,
        with_cp: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        arch = {**resolve_arch(arch, self.arch_zoo), **(overrides or {})}
        super().__init__(
            arch, drop_path_rate, out_indices, frozen_stages, with_cp, init_cfg
        )
        if not set(interactions) <= set(INTERACTIONS):
            raise ValueError(
                f'interactions {interactions!r}: name any of '
                f'{", ".join(INTERACTIONS)}'
            )
        self.in_channels = in_channels
        self.interactions = tuple(interactions)
        self.with_shift = with_shift
        self.conv_embed = conv_embed
        self.drop_rate = drop_rate
        self.attn_cfg = dict(
            border=border,
            qkv_bias=qkv_bias,
            attn_drop_rate=attn_drop_rate,
            drop_rate=drop_rate,
        )
        self.build_stages()

    def build_downsample(self, stage: int) -> PatchEmbed:
        stride = 2 if stage else 4
        kernel_size, padding = stride, 0
        if self.conv_embed:
            kernel_size, padding = (3, 1) if stage else (7, 2)
        dims = (self.in_channels, *self.embed_dims)[stage : stage + 2]
        return PatchEmbed(*dims, stride, kernel_size, padding)

    def build_levels(self, stage: int) -> list[tuple[int, int]]:
        """Focal window size and focal region size of a stage's levels."""
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

    def build_block(
        self, stage: int, index: int, drop_path_rate: float
    ) -> TransformerBlock:
        dims, side = self.embed_dims[stage], self.arch['window_sizes'][stage]
        attn = FocalAttention(
            dims,
            self.arch['num_heads'][stage],
            side,
            self.build_levels(stage),
            shift=side // 2 if self.with_shift and index % 2 else 0,
            **self.attn_cfg,
        )
        return TransformerBlock(
            dims,
            attn,
            self.arch['mlp_ratios'][stage],
            self.drop_rate,
            drop_path_rate,
        )

    def build_norm(self, stage: int) -> nn.LayerNorm:
        return nn.LayerNorm(self.embed_dims[stage])
