"""ScalableViT.

`ScalableViT: Rethinking the Context-oriented Generalization of Vision
Transformer <https://arxiv.org/abs/2203.10790>`_. Differs from the release:

- any input size: windows that stick out of the map are masked, the local
  interactive module reads the map without them, and where the reduction of
  the keys does not divide the map, zeros are added at the bottom and the
  right. At multiples of 224 nothing is added;
- detection and segmentation: the maps of all stages, without a norm;
- the ablations of Tables 5 and 7 are arguments;
- the head of two layers is mmpretrain's StackedLinearClsHead.
"""

from collections.abc import Sequence
from typing import ClassVar

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmvit.registry import MODELS

from ..layers import (
    DepthwiseConv,
    PatchEmbed,
    TransformerBlock,
    attention,
    from_windows,
    merge_heads,
    padding_bias,
    split_heads,
    to_windows,
)
from .pyramid import PyramidBackbone

ATTENTIONS = ('iwsa', 'ssa', 'wsa', 'swsa')


class WindowAttention(BaseModule):
    """Self-attention within windows, with or without interaction.

    IWSA, Section 3.3 and Eq. 5 to 7 of `ScalableViT
    <https://arxiv.org/abs/2203.10790>`_: a depth-wise convolution over the
    values, put together again from their windows, connects the windows.

    Args:
        embed_dims: Channels C of input and output.
        num_heads: Heads h.
        window_size: Side w of a window, in tokens.
        interaction: 'lim' convolves the values over the whole map (IWSA),
            'lem' within each window (Table 5b), None leaves it out (WSA).
        shift: Tokens by which the windows are moved (SWSA).
        qkv_bias: Whether the projection to q, k and v has a bias.
        attn_drop_rate: Dropout of the attention weights.
        drop_rate: Dropout of the output.

    Shape: x (B, H, W, C) -> (B, H, W, C).
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        window_size: int = 7,
        interaction: str | None = 'lim',
        shift: int = 0,
        qkv_bias: bool = True,
        attn_drop_rate: float = 0.0,
        drop_rate: float = 0.0,
    ) -> None:
        super().__init__()
        if interaction not in ('lim', 'lem', None):
            raise ValueError(
                f"interaction {interaction!r} must be 'lim', 'lem' or None"
            )
        self.num_heads = num_heads
        self.window_size = window_size
        self.interaction = interaction
        self.shift = shift
        self.attn_drop_rate = attn_drop_rate
        self.qkv = nn.Linear(embed_dims, 3 * embed_dims, bias=qkv_bias)
        if interaction:
            self.mixing = DepthwiseConv(embed_dims)
        self.proj = nn.Linear(embed_dims, embed_dims)
        self.proj_drop = nn.Dropout(drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        size, side = x.shape[1:3], self.window_size
        qkv = self.qkv(x)
        # (B, H, W, 3 * C) -> (B * nW, w, w, 3 * C)
        windows = to_windows(qkv, side, self.shift)
        q, k, v = windows.chunk(3, dim=-1)
        out = attention(
            *(split_heads(part, self.num_heads) for part in (q, k, v)),
            bias=padding_bias(size, side, self.shift, windows),
            drop_rate=self.attn_drop_rate if self.training else 0.0,
        )
        out = merge_heads(out, (side, side))
        if self.interaction == 'lem':
            out = out + self.mixing(v)
        out = from_windows(out, size, self.shift)
        if self.interaction == 'lim':
            out = out + self.mixing(qkv.chunk(3, dim=-1)[2])
        return self.proj_drop(self.proj(out))


class ScalableAttention(BaseModule):
    """Self-attention whose tokens and channels are scaled (SSA).

    Section 3.2, Eq. 2 and 3 of `ScalableViT
    <https://arxiv.org/abs/2203.10790>`_: keys and values come from a map that
    is smaller by r_n, queries and keys have r_c times the channels.

    Args:
        embed_dims: Channels C of input and output.
        num_heads: Heads h.
        sr_ratio: R, r_n = 1 / R^2; with 1 neither tokens nor channels are
            scaled.
        channel_ratio: r_c.
        qkv_bias: Whether the projections to q, k and v have a bias.
        attn_drop_rate: Dropout of the attention weights.
        drop_rate: Dropout of the output.

    Shape: x (B, H, W, C) -> (B, H, W, C).
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        sr_ratio: int,
        channel_ratio: float,
        qkv_bias: bool = True,
        attn_drop_rate: float = 0.0,
        drop_rate: float = 0.0,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.attn_drop_rate = attn_drop_rate
        dims = int(embed_dims * channel_ratio) if sr_ratio > 1 else embed_dims
        self.q = nn.Linear(embed_dims, dims, bias=qkv_bias)
        self.reduction = nn.Identity()
        if sr_ratio > 1:
            self.reduction = nn.Sequential(
                DepthwiseConv(embed_dims, sr_ratio, sr_ratio),
                nn.Linear(embed_dims, dims),
                nn.LayerNorm(dims),
                nn.GELU(),
            )
        self.k = nn.Linear(dims, dims, bias=qkv_bias)
        self.v = nn.Linear(dims, embed_dims, bias=qkv_bias)
        self.proj = nn.Linear(embed_dims, embed_dims)
        self.proj_drop = nn.Dropout(drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        source = self.reduction(x)
        out = attention(
            split_heads(self.q(x), self.num_heads),
            split_heads(self.k(source), self.num_heads),
            split_heads(self.v(source), self.num_heads),
            drop_rate=self.attn_drop_rate if self.training else 0.0,
        )
        return self.proj_drop(self.proj(merge_heads(out, x.shape[1:3])))


class ScalableViTBlock(TransformerBlock):
    """A block that adds positions at its end, by a convolution (PEG).

    Shape: x (B, H, W, C) -> (B, H, W, C), C = `embed_dims`.
    """

    def __init__(self, embed_dims: int, *args, **kwargs) -> None:
        super().__init__(embed_dims, *args, **kwargs)
        self.peg = DepthwiseConv(embed_dims)

    def forward(self, x: Tensor) -> Tensor:
        x = super().forward(x)
        return x + self.peg(x)


@MODELS.register_module()
class ScalableViT(PyramidBackbone):
    """ScalableViT (Table 1).

    Args:
        arch: 'small', 'base', 'large', or a dict with the keys of
            `arch_zoo`'s entries.
        in_channels: Channels of the image.
        attentions: The two attentions that take turns in each stage, of
            'iwsa', 'ssa', 'wsa' and 'swsa' (Table 5a).
        interaction: What connects the windows of 'iwsa': 'lim', 'lem', or
            None (Table 5b, Table 7).
        with_peg: Whether positions are added after the first block of each
            stage (Table 5b).
        window_size: Side of a window, in tokens.
        final_norm: Whether the last stage's map is normalised, as
            classification needs it.
        qkv_bias: Whether the projections to q, k and v have a bias.
        drop_rate: Dropout of attention outputs and MLPs.
        attn_drop_rate: Dropout of the attention weights.
        drop_path_rate: Stochastic depth of the last block.
        out_indices: Stages whose maps are returned.
        frozen_stages: See `PyramidBackbone`.
        with_cp: See `PyramidBackbone`.
        init_cfg: See `PyramidBackbone`.

    Shape: image (B, in_channels, H, W) -> maps (B, C_i, ceil(H / s_i),
        ceil(W / s_i)), s = 4, 8, 16, 32.

    Raises:
        ValueError: If an argument has no meaning; says which have.
    """

    # mlp_ratios 4, window 7
    arch_zoo: ClassVar[dict[str, dict]] = {
        'small': dict(
            embed_dims=(64, 128, 256, 512),
            depths=(2, 2, 20, 2),
            num_heads=(2, 4, 8, 16),
            mlp_ratios=(4, 4, 4, 4),
            sr_ratios=(8, 4, 2, 1),
            channel_ratios=(1.25, 1.25, 1.25, 1.0),
        ),
        'base': dict(
            embed_dims=(96, 192, 384, 768),
            depths=(2, 2, 14, 6),
            num_heads=(3, 6, 12, 24),
            mlp_ratios=(4, 4, 4, 4),
            sr_ratios=(8, 4, 2, 1),
            channel_ratios=(2.0, 1.25, 1.25, 1.0),
        ),
        'large': dict(
            embed_dims=(128, 256, 512, 1024),
            depths=(2, 6, 12, 4),
            num_heads=(4, 8, 16, 32),
            mlp_ratios=(4, 4, 4, 4),
            sr_ratios=(8, 4, 2, 1),
            channel_ratios=(0.25, 0.5, 1.0, 1.0),
        ),
    }

    def __init__(
        self,
        arch: str | dict = 'small',
        in_channels: int = 3,
        attentions: Sequence[str] = ('iwsa', 'ssa'),
        interaction: str | None = 'lim',
        with_peg: bool = True,
        window_size: int = 7,
        final_norm: bool = False,
        qkv_bias: bool = True,
        drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        frozen_stages: int = -1,
        with_cp: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(
            arch, drop_path_rate, out_indices, frozen_stages, with_cp, init_cfg
        )
        if len(attentions) != 2 or not set(attentions) <= set(ATTENTIONS):
            raise ValueError(
                f'attentions {attentions!r}: name two of '
                f'{", ".join(ATTENTIONS)}, which take turns'
            )
        self.in_channels = in_channels
        self.attentions = tuple(attentions)
        self.interaction = interaction
        self.with_peg = with_peg
        self.window_size = window_size
        self.final_norm = final_norm
        self.drop_rate = drop_rate
        self.attn_cfg = dict(
            qkv_bias=qkv_bias,
            attn_drop_rate=attn_drop_rate,
            drop_rate=drop_rate,
        )
        self.build_stages()

    def build_downsample(self, stage: int) -> PatchEmbed:
        if stage == 0:
            return PatchEmbed(
                self.in_channels, self.embed_dims[0], 4, 7, 3, norm_eps=1e-6
            )
        return PatchEmbed(
            *self.embed_dims[stage - 1 : stage + 1], 2, 3, 1, norm_eps=1e-6
        )

    def build_attention(self, stage: int, index: int) -> nn.Module:
        """Build the attention of block `index` of a stage."""
        kind = self.attentions[index % 2]
        dims, heads = self.embed_dims[stage], self.arch['num_heads'][stage]
        if kind == 'ssa':
            return ScalableAttention(
                dims,
                heads,
                self.arch['sr_ratios'][stage],
                self.arch['channel_ratios'][stage],
                **self.attn_cfg,
            )
        return WindowAttention(
            dims,
            heads,
            self.window_size,
            interaction=self.interaction if kind == 'iwsa' else None,
            shift=self.window_size // 2 if kind == 'swsa' else 0,
            **self.attn_cfg,
        )

    def build_block(
        self, stage: int, index: int, drop_path_rate: float
    ) -> TransformerBlock:
        with_peg = self.with_peg and index == 0
        block = ScalableViTBlock if with_peg else TransformerBlock
        return block(
            self.embed_dims[stage],
            self.build_attention(stage, index),
            self.arch['mlp_ratios'][stage],
            self.drop_rate,
            drop_path_rate,
            norm_eps=1e-6,
        )

    def build_norm(self, stage: int) -> nn.Module:
        if self.final_norm and stage == 3:
            return nn.LayerNorm(self.embed_dims[stage], eps=1e-6)
        return super().build_norm(stage)
