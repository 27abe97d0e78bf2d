"""Pyramid Vision Transformer.

`Pyramid Vision Transformer: A Versatile Backbone for Dense Prediction without
Convolutions <https://arxiv.org/abs/2102.12122>`_. Differs from the release:

- any input size: maps are padded to a multiple of the stride, and every
  position table is resized from its own grid;
- the class token, which only stage 4 has, is one more token of a map of
  height 1, since that stage reads no neighbourhoods.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmvit.registry import MODELS

from ..layers import AbsolutePositionEmbedding, Attention, PatchEmbed, ceil_div
from .pyramid import PyramidBackbone


class SpatialReductionAttention(Attention):
    """Attention to keys of a reduced map (Section 3.3, Eq. 1 to 3).

    Args:
        embed_dims, num_heads, drops: See `Attention`.
        sr_ratio: R, the side of the square of tokens that becomes one key; 1
            disables the reduction.
        qkv_bias: See `PVT`.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        sr_ratio: int,
        qkv_bias: bool = True,
        **drops: float,
    ) -> None:
        super().__init__(embed_dims, num_heads, **drops)
        self.q = nn.Linear(embed_dims, embed_dims, bias=qkv_bias)
        self.kv = nn.Linear(embed_dims, 2 * embed_dims, bias=qkv_bias)
        self.reduction = nn.Identity()
        if sr_ratio > 1:
            self.reduction = PatchEmbed(embed_dims, embed_dims, sr_ratio)
        self.build_projection()

    def forward(self, x: Tensor) -> Tensor:
        k, v = self.kv(self.reduction(x)).chunk(2, dim=-1)
        return self.project(self.attend(self.q(x), k, v))


class PositionedPatchEmbed(BaseModule):
    """Patch embedding with positions and, optionally, a class token.

    The position table has the size `grid`.

    Shape: as `PatchEmbed`; with a class token before the map's tokens, which
        are then one row, (B, 1, 1 + N, C).
    """

    def __init__(
        self,
        in_channels: int,
        embed_dims: int,
        stride: int,
        grid: tuple[int, int],
        drop_rate: float,
        with_cls_token: bool,
    ) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(in_channels, embed_dims, stride)
        self.position = AbsolutePositionEmbedding(grid, embed_dims)
        self.drop = nn.Dropout(drop_rate)
        self.with_cls_token = with_cls_token
        if with_cls_token:
            self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dims))
            self.cls_position = nn.Parameter(torch.zeros(1, 1, embed_dims))
            nn.init.normal_(self.cls_token, std=0.02)
            nn.init.normal_(self.cls_position, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        x = self.position(self.patch_embed(x))
        if self.with_cls_token:
            token = self.cls_token + self.cls_position
            token = token.expand(x.shape[0], -1, -1)
            # (B, H, W, C) -> (B, 1, 1 + N, C)
            x = torch.cat([token, x.flatten(1, 2)], dim=1).unsqueeze(1)
        return self.drop(x)


@MODELS.register_module()
class PVT(PyramidBackbone):
    """Pyramid Vision Transformer, with depths that give Table 2's counts.

    Args:
        arch, kwargs: See `PyramidBackbone`.
        img_size: Side of the pre-training images, in pixels: the grid of the
            position tables. Images of other sizes are not resized.
        with_cls_token: For classification: a class token joins in stage 4,
            and only its normalised vector is returned.
        qkv_bias: Whether the projections to q, k and v have a bias.
        out_indices: Stages whose maps are returned; None is all four, or,
            with a class token, the last.

    Shape: as `PyramidBackbone`; with a class token ((B, C_4), ).
    """

    norm_eps = 1e-6
    _widths = dict(
        embed_dims=(64, 128, 320, 512),
        num_heads=(1, 2, 5, 8),
        mlp_ratios=(8, 8, 4, 4),
        sr_ratios=(8, 4, 2, 1),
    )
    arch_zoo: ClassVar[dict[str, dict]] = {
        'tiny': dict(depths=(2, 2, 2, 2), **_widths),
        'small': dict(depths=(3, 4, 6, 3), **_widths),
        'medium': dict(depths=(3, 4, 18, 3), **_widths),
        'large': dict(depths=(3, 8, 27, 3), **_widths),
        # Table 9
        'small-wide': dict(
            _widths, depths=(3, 4, 6, 3), embed_dims=(89, 178, 445, 712)
        ),
    }

    def __init__(
        self,
        arch: str | dict = 'small',
        img_size: int = 224,
        with_cls_token: bool = False,
        qkv_bias: bool = True,
        out_indices: Sequence[int] | None = None,
        **kwargs,
    ) -> None:
        if out_indices is None:
            out_indices = (3,) if with_cls_token else (0, 1, 2, 3)
        kwargs.setdefault('final_norm', with_cls_token)
        super().__init__(arch, out_indices=out_indices, **kwargs)
        if with_cls_token and self.out_indices != (3,):
            raise ValueError(
                'with a class token PVT returns that token alone:'
                f' out_indices {out_indices!r} must be (3, )'
            )
        if with_cls_token and self.arch['sr_ratios'][3] != 1:
            raise ValueError(
                'a class token needs sr_ratios[3] = 1, not '
                f'{self.arch["sr_ratios"][3]!r}'
            )
        self.img_size = img_size
        self.with_cls_token = with_cls_token
        self.qkv_bias = qkv_bias
        self.build_stages()

    def build_downsample(self, stage: int) -> PositionedPatchEmbed:
        side = ceil_div(self.img_size, 4 * 2**stage)
        return PositionedPatchEmbed(
            *self.widths(stage),
            stride=2 if stage else 4,
            grid=(side, side),
            drop_rate=self.drop_rate,
            with_cls_token=self.with_cls_token and stage == 3,
        )

    def build_attention(self, stage: int, index: int) -> nn.Module:  # noqa: ARG002
        return SpatialReductionAttention(
            sr_ratio=self.arch['sr_ratios'][stage],
            qkv_bias=self.qkv_bias,
            **self.attn_args(stage),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        outs = super().forward(x)
        if self.with_cls_token:
            # (B, C, 1, 1 + N) -> (B, C)
            return (outs[0][:, :, 0, 0],)
        return outs
