"""The layer of Hierarchical Local-Global Transformers (HLG).

The backbone consists of it, and so does HLG's segmentation head.
"""

import math

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from .attention import Attention, merge_heads, split_heads
from .block import add_branch
from .conv import Bottleneck, ChannelsLastConv2d, ConvNorm, DepthwiseConv
from .position_bias import DynamicPositionBias, Offsets, spread_bias
from .sizes import cached_by_size, ceil_div, contiguous, must_fit_all, take
from .windows import WindowGrid

# Most elements of the global attention's bias that inference makes at once.
# Training keeps all of them for the backward pass.
MAX_BIAS_ELEMENTS = 2**26


class DWMlp(BaseModule):
    """MLP with a depth-wise convolution in the middle (DWMLP, Section 3.3).

    Args:
        stride: That of the depth-wise convolution.
        mlp_ratio: Hidden channels as a multiple of `in_channels`.
        drop_rate: Dropout after each convolution.

    Shape: (B, H, W, in_channels) -> (B, H', W', C), H' = ceil(H / stride).
    """

    def __init__(
        self,
        in_channels: int,
        embed_dims: int,
        stride: int = 1,
        mlp_ratio: float = 4.0,
        drop_rate: float = 0.0,
    ) -> None:
        super().__init__()
        dims = int(in_channels * mlp_ratio)
        self.fc1 = ConvNorm(in_channels, dims, act=nn.GELU())
        self.mixing = ConvNorm(dims, dims, 3, stride, dims, act=nn.GELU())
        self.fc2 = ChannelsLastConv2d(dims, embed_dims, 1)
        self.drop = nn.Dropout(drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop(self.mixing(self.drop(self.fc1(x))))
        return self.drop(self.fc2(x))


class WindowEmbedding(BaseModule):
    """Embeds each window as one token (Table 12).

    What lies outside of the map takes no part.

    Args:
        kind: The mean ('avg') or the maximum ('max') of the window's tokens,
            or a depth-wise convolution as large as a window ('dwconv').

    Shape: x (B, H, W, C) and the partition of the map -> (B, nH, nW, C),
        the windows along each axis.
    """

    def __init__(self, kind: str, embed_dims: int, window_size: int) -> None:
        super().__init__()
        if kind not in ('avg', 'max', 'dwconv'):
            raise ValueError(f'window_embedding {kind!r}: avg, max or dwconv')
        self.kind = kind
        if kind == 'dwconv':
            self.conv = DepthwiseConv(embed_dims, window_size, window_size)

    def forward(self, x: Tensor, grid: WindowGrid) -> Tensor:
        if self.kind == 'avg':
            return grid.mean(x)
        windows = grid.cut(x)
        if self.kind == 'dwconv':
            tokens = self.conv(windows).flatten(1)
            return tokens.unflatten(0, (x.shape[0], *grid.shape))
        # (B * nW, w, w, C) -> (B, nW, w * w, C)
        windows = windows.flatten(1, 2).unflatten(0, (x.shape[0], -1))
        bias = grid.token_bias(x)
        if bias is not None:
            # (nW, 1, 1, w * w) -> (nW, w * w, 1)
            windows = windows + bias.flatten(1)[..., None]
        return windows.amax(2).unflatten(1, grid.shape)


class LocalGlobalAttention(Attention):
    """Attention within windows, then from all tokens to all windows.

    Section 3.3, after a bottleneck of convolutions. Parameters are shared as
    in Eq. 8 and computation as in Eq. 9: the local attention's keys are its
    queries; the global attention's queries are these plus a depth-wise
    convolution of the local output; the windows' tokens become keys and
    values by the same layers.

    Args:
        embed_dims, num_heads, drops: See `Attention`.
        window_size: Side w of a window, in tokens.
        windows: 'plain' for windows of neighbours, 'dilated' for windows of
            every D-th token; None leaves the local attention out, and plain
            windows give the global attention its keys (Table 14).
        dilation: D of dilated windows; None takes ceil(H / w) for rows and
            ceil(W / w) for columns, so that a window spans the map.
        window_embedding: See `WindowEmbedding`.

    Shape: x (B, H, W, C), and the factor of `StochasticDepth` for the global
        attention -> (B, H, W, C), including the residuals.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        window_size: int = 7,
        windows: str | None = 'plain',
        dilation: int | None = None,
        window_embedding: str = 'avg',
        **drops: float,
    ) -> None:
        super().__init__(embed_dims, num_heads, **drops)
        if windows not in ('plain', 'dilated', None):
            raise ValueError(
                f"windows {windows!r} must be 'plain', 'dilated' or None"
            )
        self.window_size = window_size
        self.windows = windows
        self.dilation = dilation
        self.bottleneck = Bottleneck(embed_dims)
        self.norm1 = nn.LayerNorm(embed_dims)
        self.q = nn.Linear(embed_dims, embed_dims)
        self.k = nn.Linear(embed_dims, embed_dims)
        self.v = nn.Linear(embed_dims, embed_dims)
        if windows:
            self.local_bias = DynamicPositionBias(embed_dims, num_heads)
            self.norm2 = nn.LayerNorm(embed_dims)
            self.query_conv = DepthwiseConv(embed_dims)
        self.embedding = WindowEmbedding(
            window_embedding, embed_dims, window_size
        )
        self.norm3 = nn.LayerNorm(embed_dims)
        self.global_bias = DynamicPositionBias(embed_dims, num_heads)
        self.build_projection()

    def build_grid(self, size: tuple[int, int]) -> WindowGrid:
        """Partition a map of this size as `windows` and `dilation` say."""
        if self.windows != 'dilated':
            return WindowGrid(size, self.window_size)
        steps = self.dilation and (self.dilation, self.dilation)
        return WindowGrid(size, self.window_size, steps)

    def _attend_locally(self, qv: Tensor, grid: WindowGrid) -> Tensor:
        # Positions within a window are one apart, whatever the dilation.
        bias = self.local_bias(self.window_size, self.window_size)
        mask = grid.token_bias(bias)
        parts = grid.pad(qv).unflatten(3, (2, self.num_heads, -1))
        q, v = grid.cut_heads(parts).unbind()
        out = self.attend_by_window(q, q, v, bias, mask)
        return grid.crop(grid.join_heads(out, self.num_heads))

    def _key_offsets(self, grid: WindowGrid) -> Offsets:
        return grid.offsets(self.k.weight)

    def _spread_bias(
        self, table: Tensor, rows: Tensor, columns: Tensor, _: WindowGrid
    ) -> Tensor:
        """Look up the keys' biases: (h, Nq, nW, nH), see `spread_bias`."""
        return spread_bias(table, rows, columns)

    def _attend_globally(
        self, q: Tensor, tokens: Tensor, grid: WindowGrid
    ) -> Tensor:
        parts = q, self.k(tokens), self.v(tokens)
        q, k, v = (split_heads(part, self.num_heads) for part in parts)
        offsets = self._key_offsets(grid)
        table = self.global_bias.table(offsets.coordinates)
        outside = grid.window_bias(table)
        step = None
        # The number of strips depends on the map's size, a graph must not.
        if not (torch.is_grad_enabled() or must_fit_all(*grid.size)):
            row_elements = self.num_heads * grid.size[1] * k.shape[2]
            step = max(MAX_BIAS_ELEMENTS // row_elements, 1)
            step = None if step >= grid.size[0] else step

        def attend(rows: Tensor, q: Tensor) -> Tensor:
            # Its bias is freed before the next strip makes one.
            bias = self._spread_bias(table, rows, offsets.columns, grid)
            if outside is not None:
                bias = bias + outside.T
            return self.attend_by_head(q, k, v, bias.flatten(2)[None])

        if step is None:
            out = attend(offsets.rows, q)
        else:
            parts = offsets.rows.split(step), q.split(step * grid.size[1], 2)
            out = torch.cat([attend(*strip) for strip in zip(*parts)], 2)
        return self.project(merge_heads(out, grid.size))

    def forward(self, x: Tensor, factor: Tensor | None = None) -> Tensor:
        grid = self.build_grid(x.shape[1:3])
        x = self.bottleneck(x)
        normed = self.norm1(x)
        if self.windows:
            # One product, whose result is cut into windows at once.
            layers = self.q, self.v
            weight = torch.cat([layer.weight for layer in layers])
            bias = torch.cat([layer.bias for layer in layers])
            qv = F.linear(normed, weight, bias)
            local = self._attend_locally(qv, grid)
            x = x + local
            q = qv[..., : self.embed_dims] + self.query_conv(self.norm2(local))
        else:
            q = self.q(normed)
        # The keys go column by column, as the bias does: see `spread_bias`.
        tokens = self.embedding(x, grid).transpose(1, 2)
        tokens = self.norm3(contiguous(tokens))
        return add_branch(x, self._attend_globally(q, tokens, grid), factor)


@cached_by_size(
    lambda height, width, rows: [
        (float, None, None, 2),
        (int, height, rows),
        (int, width, width),
    ]
)
def _first_rows_offsets(height: int, width: int, rows: int) -> Offsets:
    """Offsets of a map's tokens from the tokens of its first rows."""
    y, x = torch.arange(height), torch.arange(width)
    return Offsets.between((y, x), (y[:rows], x))


class RasterBiasAttention(LocalGlobalAttention):
    """Local-global attention with the position bias of HLG's release.

    Window m, counted row by row, has the global bias of token m of the map,
    also counted row by row, and not that of the window's centre. Published
    weights need it.

    Shape: as `LocalGlobalAttention`.
    """

    def _key_offsets(self, grid: WindowGrid) -> Offsets:
        height, width = grid.size
        rows = ceil_div(math.prod(grid.shape), width)
        like = self.k.weight
        return Offsets(*_first_rows_offsets(height, width, rows, like=like))

    def _spread_bias(
        self, table: Tensor, rows: Tensor, columns: Tensor, grid: WindowGrid
    ) -> Tensor:
        # (h, Nq, W, rows) -> (h, Nq, nH * nW), one key for each window
        bias = super()._spread_bias(table, rows, columns, grid)
        bias = bias.transpose(2, 3).flatten(2)
        bias = take(bias, 2, math.prod(grid.shape))
        # -> (h, Nq, nW, nH)
        return bias.unflatten(2, grid.shape).transpose(2, 3)


class FullAttention(Attention):
    """Attention of all tokens to all tokens, followed by a LayerNorm.

    The layers of the last stage have it: their map is hardly larger than a
    window. Its arguments are those of `Attention`.

    Shape: x (B, H, W, C), and the factor of `StochasticDepth` -> (B, H, W, C),
        including the residual.
    """

    def __init__(
        self, embed_dims: int, num_heads: int, **drops: float
    ) -> None:
        super().__init__(embed_dims, num_heads, **drops)
        self.q = nn.Linear(embed_dims, embed_dims)
        self.k = nn.Linear(embed_dims, embed_dims)
        self.v = nn.Linear(embed_dims, embed_dims)
        self.global_bias = DynamicPositionBias(embed_dims, num_heads)
        self.build_projection()
        self.norm = nn.LayerNorm(embed_dims)

    def forward(self, x: Tensor, factor: Tensor | None = None) -> Tensor:
        bias = self.global_bias(*x.shape[1:3])[None]
        out = self.attend(self.q(x), self.k(x), self.v(x), bias)
        return add_branch(x, self.norm(self.project(out)), factor)


class LocalGlobalLayer(BaseModule):
    """A DWMLP and an attention, each with a residual (Figure 2).

    Args:
        in_channels, embed_dims, stride, mlp_args: See `DWMlp`. With a stride
            above 1 the shortcut is also a convolution.
        attn: The attention, which includes its residuals.

    Shape: x (B, H, W, in_channels), and the two factors of `StochasticDepth`
        -> (B, ceil(H / stride), ceil(W / stride), C).
    """

    #: See `mmvit.engine.compilation`.
    is_compiled_alone = True

    def __init__(
        self,
        in_channels: int,
        embed_dims: int,
        attn: nn.Module,
        stride: int = 1,
        **mlp_args: float,
    ) -> None:
        super().__init__()
        self.shortcut = nn.Identity()
        if stride > 1:
            groups = math.gcd(in_channels, embed_dims)
            self.shortcut = ConvNorm(
                in_channels, embed_dims, 3, stride, groups, nn.GELU()
            )
        self.mlp = DWMlp(in_channels, embed_dims, stride, **mlp_args)
        self.norm = nn.LayerNorm(embed_dims)
        self.attn = attn

    def forward(
        self,
        x: Tensor,
        factor1: Tensor | None = None,
        factor2: Tensor | None = None,
    ) -> Tensor:
        out = self.norm(self.mlp(x))
        return self.attn(add_branch(self.shortcut(x), out, factor1), factor2)
