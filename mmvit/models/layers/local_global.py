"""The layer of Hierarchical Local-Global Transformers (HLG).

The backbone is made of it, and so is HLG's segmentation head.
"""

import math

import torch
from mmcv.cnn.bricks import DropPath
from mmengine.model import BaseModule
from torch import Tensor, nn

from .attention import attention, merge_heads, split_heads
from .conv import ConvNorm, DepthwiseConv, MapConv
from .position import DynamicPositionBias, token_offsets
from .windows import WindowGrid

WINDOWS = ('plain', 'dilated')
# The global attention's bias is made and used for so many pairs at a time: at
# 800x1333 the whole of it would be larger than everything else.
BIAS_ENTRIES = 2**24
EMBEDDINGS = ('avg', 'max', 'dwconv')
# On a CPU a DWMLP's hidden maps are made for so many entries at a time, which
# stay in its cache: memory costs more there than the products.
HIDDEN_ENTRIES = 2**21
# In training only larger maps than these are: 32 MiB of float32. More memory
# at once is often new to the process, which costs as much as the products.
KEPT_ENTRIES = 2**23


class DWMlp(BaseModule):
    """MLP with a depth-wise convolution in the middle (DWMLP, Section 3.3).

    Args:
        in_channels: Channels of the input.
        embed_dims: Channels C of the output.
        stride: Factor by which the depth-wise convolution shrinks the map.
        mlp_ratio: Hidden channels as a multiple of `in_channels`.
        drop_rate: Dropout of the hidden maps and the output.

    Shape: x (B, H, W, in_channels) -> (B, ceil(H / stride),
        ceil(W / stride), C).
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
        self.fc2 = MapConv(dims, embed_dims, 1)
        self.drop = nn.Dropout(drop_rate)

    def _mix(self, x: Tensor) -> Tensor:
        x = self.drop(self.mixing(self.drop(self.fc1(x))))
        return self.drop(self.fc2(x))

    def _mix_batch(self, x: Tensor, step: int) -> Tensor:
        # The first normalisation need not see its map, the second has to.
        mean, var = self.fc1.batch_statistics(x)
        parts = [
            self.mixing.conv(self.drop(self.fc1.with_norm(part, mean, var)))
            for part in x.split(step)
        ]
        x = self.mixing.normalise(torch.cat(parts))
        parts = [
            self.drop(self.fc2(self.drop(self.mixing.act(part))))
            for part in x.split(step)
        ]
        return torch.cat(parts)

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != 'cpu':
            return self._mix(x)
        entries = x[0, ..., 0].numel() * self.fc2.in_channels
        step = max(HIDDEN_ENTRIES // entries, 1)
        # Not the module's mode: norms are frozen and calibrated by themselves.
        if not (self.fc1.norm.training or self.mixing.norm.training):
            parts = [self._mix(part) for part in x.split(step)]
            return parts[0] if len(parts) == 1 else torch.cat(parts)
        is_kept = len(x) * entries <= KEPT_ENTRIES
        if is_kept or not self.fc1.has_batch_statistics(x):
            return self._mix(x)
        return self._mix_batch(x.contiguous(), step)


class Bottleneck(BaseModule):
    """Residual convolutions on a quarter of the channels.

    Shape: x (B, H, W, C) -> (B, H, W, C), C = `embed_dims`.
    """

    def __init__(self, embed_dims: int) -> None:
        super().__init__()
        dims = embed_dims // 4
        self.layers = nn.Sequential(
            ConvNorm(embed_dims, dims, act=nn.GELU()),
            ConvNorm(dims, dims, 3, act=nn.GELU()),
            ConvNorm(dims, embed_dims),
        )
        self.act = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(x + self.layers(x))


class WindowEmbedding(BaseModule):
    """One token for each window (Table 12).

    Args:
        embed_dims: Channels C.
        window_size: Side w of a window, in tokens.
        kind: 'avg' is the mean and 'max' the maximum of the window's tokens
            that lie on the map, 'dwconv' a depth-wise convolution of the
            window, with zeros where it sticks out.

    Shape: x (B, H, W, C) -> (B, nW, C), windows as in the grid.
    """

    def __init__(
        self, embed_dims: int, window_size: int, kind: str = 'avg'
    ) -> None:
        super().__init__()
        if kind not in EMBEDDINGS:
            raise ValueError(
                f'window_embedding {kind!r}: choose one of '
                f'{", ".join(EMBEDDINGS)}'
            )
        self.kind = kind
        if kind == 'dwconv':
            self.conv = DepthwiseConv(embed_dims, window_size, window_size)

    def forward(self, x: Tensor, grid: WindowGrid) -> Tensor:
        if self.kind == 'avg':
            return grid.mean(x)
        windows = grid.cut(x)
        if self.kind == 'max':
            tokens = windows.flatten(1, 2)
            bias = grid.token_bias(windows)
            if bias is not None:
                # (B * nW, 1, 1, w * w) -> (B * nW, w * w, 1)
                tokens = tokens + bias.flatten(1)[..., None]
            tokens = tokens.amax(1)
        else:
            tokens = self.conv(windows).flatten(1)
        return tokens.unflatten(0, (len(x), -1))


class LocalGlobalAttention(BaseModule):
    """Attention within windows, then of all tokens to windows (Section 3.3).

    A bottleneck of convolutions comes first. Parameters are shared as in
    Eq. 8 and computation as in Eq. 9: the local attention's queries are its
    keys, too; the global one's queries are these plus a depth-wise
    convolution of the local output; windows' tokens become keys and values by
    the same layers.

    Args:
        embed_dims: Channels C of input and output.
        num_heads: Heads h.
        window_size: Side w of a window, in tokens.
        windows: 'plain' takes neighbours into a window, 'dilated' every D-th
            token; None leaves the local attention out, and plain windows
            give the global one its keys (Table 14).
        dilation: D of dilated windows; None takes ceil(H / w) for rows and
            ceil(W / w) for columns, so that a window spans the map.
        window_embedding: See `WindowEmbedding`.
        qkv_bias: Whether the projections to q, k and v have a bias.
        attn_drop_rate: Dropout of the attention weights.
        drop_rate: Dropout of the output.
        drop_path_rate: Probability that the global attention is left out for
            an image.

    Shape: x (B, H, W, C) -> (B, H, W, C), the residuals included.

    Raises:
        ValueError: If an argument has no meaning; says which have.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        window_size: int = 7,
        windows: str | None = 'plain',
        dilation: int | None = None,
        window_embedding: str = 'avg',
        qkv_bias: bool = True,
        attn_drop_rate: float = 0.0,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
    ) -> None:
        super().__init__()
        if windows not in (*WINDOWS, None):
            raise ValueError(
                f"windows {windows!r} must be 'plain', 'dilated' or None"
            )
        self.num_heads = num_heads
        self.window_size = window_size
        self.windows = windows
        self.dilation = dilation
        self.attn_drop_rate = attn_drop_rate
        self.bottleneck = Bottleneck(embed_dims)
        self.norm1 = nn.LayerNorm(embed_dims)
        self.q = nn.Linear(embed_dims, embed_dims, bias=qkv_bias)
        self.k = nn.Linear(embed_dims, embed_dims, bias=qkv_bias)
        self.v = nn.Linear(embed_dims, embed_dims, bias=qkv_bias)
        if windows:
            self.local_bias = DynamicPositionBias(embed_dims, num_heads)
            self.norm2 = nn.LayerNorm(embed_dims)
            self.query_conv = DepthwiseConv(embed_dims)
        self.embedding = WindowEmbedding(
            embed_dims, window_size, window_embedding
        )
        self.norm3 = nn.LayerNorm(embed_dims)
        self.global_bias = DynamicPositionBias(embed_dims, num_heads)
        self.proj = nn.Linear(embed_dims, embed_dims)
        self.proj_drop = nn.Dropout(drop_rate)
        self.drop_path = DropPath(drop_path_rate)

    def build_grid(self, size: tuple[int, int]) -> WindowGrid:
        """Cut a map of a size, as `windows` and `dilation` say."""
        if self.windows != 'dilated':
            return WindowGrid(size, self.window_size)
        steps = self.dilation and (self.dilation, self.dilation)
        return WindowGrid(size, self.window_size, steps)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        return attention(
            *(split_heads(part, self.num_heads) for part in (q, k, v)),
            bias=bias,
            drop_rate=self.attn_drop_rate if self.training else 0.0,
        )

    def _attend_locally(
        self, q: Tensor, v: Tensor, grid: WindowGrid
    ) -> Tensor:
        q, v = grid.cut(q), grid.cut(v)
        side = self.window_size
        # Places within a window: one step, whatever the dilation.
        offsets = token_offsets(side)
        bias = self.local_bias(offsets, offsets)[None]
        padding = grid.token_bias(q)
        if padding is not None:
            bias = bias + padding
        out = self._attend(q, q, v, bias)
        return grid.join(merge_heads(out, (side, side)))

    def _attend_globally(
        self, q: Tensor, tokens: Tensor, grid: WindowGrid
    ) -> Tensor:
        rows, columns = grid.centre_offsets
        k, v = self.k(tokens), self.v(tokens)
        outside = grid.window_bias(q)
        row_entries = columns.index.numel() * rows.index.shape[1]
        step = max(BIAS_ENTRIES // (self.num_heads * row_entries), 1)
        strips = []
        for start in range(0, grid.size[0], step):
            part = rows.part(start, start + step)
            bias = self.global_bias(part, columns)[None]
            if outside is not None:
                bias = bias + outside
            strips.append(self._attend(q[:, start : start + step], k, v, bias))
        out = strips[0] if len(strips) == 1 else torch.cat(strips, 2)
        return self.proj_drop(self.proj(merge_heads(out, grid.size)))

    def forward(self, x: Tensor) -> Tensor:
        grid = self.build_grid(x.shape[1:3])
        x = self.bottleneck(x)
        normed = self.norm1(x)
        q = self.q(normed)
        if self.windows:
            local = self._attend_locally(q, self.v(normed), grid)
            x = x + local
            q = q + self.query_conv(self.norm2(local))
        tokens = self.norm3(self.embedding(x, grid))
        return x + self.drop_path(self._attend_globally(q, tokens, grid))


class FullAttention(BaseModule):
    """Attention of all tokens to all, normalised afterwards.

    What a layer of the last stage has: its map is hardly larger than a
    window.

    Args:
        embed_dims: Channels C of input and output.
        num_heads: Heads h.
        qkv_bias: Whether the projections to q, k and v have a bias.
        attn_drop_rate: Dropout of the attention weights.
        drop_rate: Dropout of the output.
        drop_path_rate: Probability that it is left out for an image.

    Shape: x (B, H, W, C) -> (B, H, W, C), the residual included.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        qkv_bias: bool = True,
        attn_drop_rate: float = 0.0,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.attn_drop_rate = attn_drop_rate
        self.q = nn.Linear(embed_dims, embed_dims, bias=qkv_bias)
        self.k = nn.Linear(embed_dims, embed_dims, bias=qkv_bias)
        self.v = nn.Linear(embed_dims, embed_dims, bias=qkv_bias)
        self.global_bias = DynamicPositionBias(embed_dims, num_heads)
        self.proj = nn.Linear(embed_dims, embed_dims)
        self.proj_drop = nn.Dropout(drop_rate)
        self.norm = nn.LayerNorm(embed_dims)
        self.drop_path = DropPath(drop_path_rate)

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[1:3]
        out = attention(
            *(
                split_heads(layer(x), self.num_heads)
                for layer in (self.q, self.k, self.v)
            ),
            bias=self.global_bias(*map(token_offsets, size))[None],
            drop_rate=self.attn_drop_rate if self.training else 0.0,
        )
        out = self.proj_drop(self.proj(merge_heads(out, size)))
        return x + self.drop_path(self.norm(out))


class LocalGlobalLayer(BaseModule):
    """A DWMLP, then an attention, each with its residual (Figure 2).

    Args:
        in_channels: Channels of the input.
        embed_dims: Channels C of the output.
        attn: The attention, which adds its residuals itself.
        stride: Factor by which the map shrinks; with 2 the shortcut is a
            convolution, too.
        mlp_ratio: Hidden channels of the DWMLP as a multiple of
            `in_channels`.
        drop_rate: Dropout of the DWMLP.
        drop_path_rate: Probability that the DWMLP is left out for an image.

    Shape: x (B, H, W, in_channels) -> (B, ceil(H / stride),
        ceil(W / stride), C).
    """

    def __init__(
        self,
        in_channels: int,
        embed_dims: int,
        attn: nn.Module,
        stride: int = 1,
        mlp_ratio: float = 4.0,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
    ) -> None:
        super().__init__()
        self.shortcut = nn.Identity()
        if stride > 1:
            self.shortcut = ConvNorm(
                in_channels,
                embed_dims,
                3,
                stride,
                groups=math.gcd(in_channels, embed_dims),
                act=nn.GELU(),
            )
        self.mlp = DWMlp(in_channels, embed_dims, stride, mlp_ratio, drop_rate)
        self.norm = nn.LayerNorm(embed_dims)
        self.drop_path = DropPath(drop_path_rate)
        self.attn = attn

    def forward(self, x: Tensor) -> Tensor:
        x = self.shortcut(x) + self.drop_path(self.norm(self.mlp(x)))
        return self.attn(x)
