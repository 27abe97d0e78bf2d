"""ScalableViT.

`ScalableViT: Rethinking the Context-oriented Generalization of Vision
Transformer <https://arxiv.org/abs/2203.10790>`_. Differs from the release:

- any input size: windows that stick out of the map are padded, and the padding
  is masked; where the reduction of the keys does not divide the map, zeros are
  added at the bottom and on the right. At multiples of 224 neither happens;
- detection and segmentation: the maps of all stages, without a norm;
- the head of two layers is mmpretrain's StackedLinearClsHead.
"""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from mmvit.registry import MODELS

from ..layers import (
    Attention,
    DepthwiseConv,
    PatchEmbed,
    WindowGrid,
    merge_heads,
    split_heads,
)
from .pyramid import PyramidBackbone, doubling_arch

ATTENTIONS = ('iwsa', 'ssa', 'wsa', 'swsa')


class WindowAttention(Attention):
    """Self-attention within windows, with or without interaction.

    IWSA (Section 3.3, Eq. 5 to 7): a depth-wise convolution of the values,
    joined from their windows, connects the windows.

    Args:
        embed_dims, num_heads, drops: See `Attention`.
        window_size: Side w of a window, in tokens.
        interaction: 'lim' convolves the values over the whole map (IWSA),
            'lem' within each window (Table 5b), None does without (WSA).
        shift: Tokens by which the windows are moved (SWSA).
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        window_size: int = 7,
        interaction: str | None = 'lim',
        shift: int = 0,
        **drops: float,
    ) -> None:
        super().__init__(embed_dims, num_heads, **drops)
        if interaction not in ('lim', 'lem', None):
            raise ValueError(
                f"interaction {interaction!r} must be 'lim', 'lem' or None"
            )
        self.window_size = window_size
        self.interaction = interaction
        self.shift = shift
        self.qkv = nn.Linear(embed_dims, 3 * embed_dims)
        if interaction:
            self.mixing = DepthwiseConv(embed_dims)
        self.build_projection()

    def _mix_within(self, v: Tensor) -> Tensor:
        """Convolve the values of each window; shapes as `cut_heads`."""
        windows = v.flatten(0, 1).unflatten(0, (-1, self.num_heads))
        mixed = self.mixing(merge_heads(windows, (self.window_size,) * 2))
        return split_heads(mixed, self.num_heads).reshape(v.shape)

    def forward(self, x: Tensor) -> Tensor:
        grid = WindowGrid(x.shape[1:3], self.window_size, shift=self.shift)
        qkv = self.qkv(x)
        parts = grid.pad(qkv).unflatten(3, (3, self.num_heads, -1))
        q, k, v = grid.cut_heads(parts).unbind()
        out = self.attend_by_window(q, k, v, mask=grid.token_bias(q))
        if self.interaction == 'lem':
            out = out + self._mix_within(v)
        out = grid.crop(grid.join_heads(out, self.num_heads))
        if self.interaction == 'lim':
            out = out + self.mixing(qkv[..., 2 * self.embed_dims :])
        return self.project(out)


class ScalableAttention(Attention):
    """Self-attention with scaled tokens and channels (SSA).

    Section 3.2, Eq. 2 and 3: keys and values come from a map that is smaller
    by r_n; queries and keys have r_c times the channels.

    Args:
        embed_dims, num_heads, drops: See `Attention`.
        sr_ratio: R, r_n = 1 / R^2; 1 scales neither tokens nor channels.
        channel_ratio: r_c.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        sr_ratio: int,
        channel_ratio: float,
        **drops: float,
    ) -> None:
        super().__init__(embed_dims, num_heads, **drops)
        dims = int(embed_dims * channel_ratio) if sr_ratio > 1 else embed_dims
        self.q = nn.Linear(embed_dims, dims)
        self.reduction = nn.Identity()
        if sr_ratio > 1:
            self.reduction = nn.Sequential(
                DepthwiseConv(embed_dims, sr_ratio, sr_ratio),
                nn.Linear(embed_dims, dims),
                nn.LayerNorm(dims),
                nn.GELU(),
            )
        self.k = nn.Linear(dims, dims)
        self.v = nn.Linear(dims, embed_dims)
        self.build_projection()

    def forward(self, x: Tensor) -> Tensor:
        reduced = self.reduction(x)
        out = self.attend(self.q(x), self.k(reduced), self.v(reduced))
        return self.project(out)


@MODELS.register_module()
class ScalableViT(PyramidBackbone):
    """ScalableViT (Table 1).

    Args:
        arch, kwargs: See `PyramidBackbone`.
        attentions: The two attentions that alternate in each stage, of
            'iwsa', 'ssa', 'wsa' and 'swsa' (Table 5a).
        interaction: What connects the windows of 'iwsa': 'lim', 'lem', or
            None (Table 5b, Table 7).
        with_peg: Whether positions are added after the first block of each
            stage (Table 5b).
    """

    norm_eps = 1e-6
    _sr = dict(sr_ratios=(8, 4, 2, 1))
    arch_zoo: ClassVar[dict[str, dict]] = {
        'small': doubling_arch(
            64, (2, 2, 20, 2), 2, channel_ratios=(1.25, 1.25, 1.25, 1.0), **_sr
        ),
        'base': doubling_arch(
            96, (2, 2, 14, 6), 3, channel_ratios=(2.0, 1.25, 1.25, 1.0), **_sr
        ),
        'large': doubling_arch(
            128, (2, 6, 12, 4), 4, channel_ratios=(0.25, 0.5, 1.0, 1.0), **_sr
        ),
    }

    def __init__(
        self,
        arch: str | dict = 'small',
        attentions: Sequence[str] = ('iwsa', 'ssa'),
        interaction: str | None = 'lim',
        with_peg: bool = True,
        **kwargs,
    ) -> None:
        super().__init__(arch, **kwargs)
        if len(attentions) != 2 or not set(attentions) <= set(ATTENTIONS):
            raise ValueError(
                f'attentions {attentions!r} must be two of '
                f'{", ".join(ATTENTIONS)}, which alternate'
            )
        self.attentions = tuple(attentions)
        self.interaction = interaction
        self.with_peg = with_peg
        self.build_stages()

    def build_downsample(self, stage: int) -> PatchEmbed:
        return self.overlapping_embed(stage)

    def build_attention(self, stage: int, index: int) -> nn.Module:
        kind = self.attentions[index % 2]
        if kind == 'ssa':
            return ScalableAttention(
                sr_ratio=self.arch['sr_ratios'][stage],
                channel_ratio=self.arch['channel_ratios'][stage],
                **self.attn_args(stage),
            )
        return WindowAttention(
            interaction=self.interaction if kind == 'iwsa' else None,
            # Half a window
            shift=3 if kind == 'swsa' else 0,
            **self.attn_args(stage),
        )

    def build_positions(self, stage: int, index: int) -> dict[str, nn.Module]:
        if self.with_peg and index == 0:
            return dict(peg=DepthwiseConv(self.embed_dims[stage]))
        return {}
