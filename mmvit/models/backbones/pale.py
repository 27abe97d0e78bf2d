"""Pale Transformer.

`Pale Transformer: A General Vision Transformer Backbone with Pale-Shaped
Attention <https://arxiv.org/abs/2112.14000>`_. The authors have published no
code. Where the paper leaves a choice:

- q, k and v come from all channels and are then split in two halves, which
  gives the parameters of Table 2; Eq. 2 can also be read as convolutions
  within each half, which have far fewer;
- Table 1's heads are those of each half. Modes that do not split the channels
  have twice as many, so that the width of a head is the same;
- patch merging is a convolution without bias and a LayerNorm;
- a token of the vanilla mode lies in the pale of its row and in the pale of
  its column, and gets the mean of the attention within both.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmvit.registry import MODELS

from ..layers import (
    Attention,
    DepthwiseConv,
    PatchEmbed,
    RowGroups,
    padding_bias,
)
from .pyramid import PyramidBackbone, doubling_arch


class SeparableConv(BaseModule):
    """Depth-wise convolution, BatchNorm and a linear layer.

    Args:
        embed_dims: Channels C of input and output.

    Shape: x (B, H, W, C) -> (B, H, W, C).
    """

    def __init__(self, embed_dims: int) -> None:
        super().__init__()
        self.depthwise = DepthwiseConv(embed_dims)
        self.norm = nn.BatchNorm2d(embed_dims)
        self.pointwise = nn.Linear(embed_dims, embed_dims)

    def forward(self, x: Tensor) -> Tensor:
        # A permuted map is a channels-last tensor: no copy is made.
        x = self.norm(self.depthwise(x).permute(0, 3, 1, 2))
        return self.pointwise(x.permute(0, 2, 3, 1))


class PaleAttention(Attention):
    """Self-attention within interlaced rows and interlaced columns.

    Section "Pale-Shaped self-Attention", Eq. 1 to 3: one half of the channels
    attends within groups of rows, the other within groups of columns.

    Args:
        embed_dims, drops: See `Attention`.
        num_heads: Heads h of each half of the channels.
        pale_size: Rows, and columns, of a group.
        interlaced: Whether the rows of a group are spread over the map;
            otherwise a group is a stripe of adjacent rows.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        pale_size: int = 7,
        interlaced: bool = True,
        **drops: float,
    ) -> None:
        super().__init__(embed_dims, num_heads, **drops)
        if pale_size < 1:
            raise ValueError(f'pale_size {pale_size!r} must be 1 or more')
        self.pale_size = pale_size
        self.interlaced = interlaced
        self.q = SeparableConv(embed_dims)
        self.k = SeparableConv(embed_dims)
        self.v = SeparableConv(embed_dims)
        self.build_projection()

    def attend_in_rows(self, *qkv: Tensor, num_heads: int) -> Tensor:
        """Attention within groups of rows, all groups in one call.

        Shape: q, k, v (B, H, W, C) -> (B, H, W, C).
        """
        groups = RowGroups(qkv[0].shape[1], self.pale_size, self.interlaced)
        q, k, v = (groups.cut(part) for part in qkv)
        out = self.attend(q, k, v, groups.token_bias(q), num_heads)
        return groups.join(out)

    def attend_in_columns(self, *qkv: Tensor, num_heads: int) -> Tensor:
        """Attention within groups of columns; see `attend_in_rows`."""
        qkv = (part.transpose(1, 2) for part in qkv)
        return self.attend_in_rows(*qkv, num_heads=num_heads).transpose(1, 2)

    def attend_in_pales(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention within pales; shapes as in `attend_in_rows`."""
        # (B, H, W, C) -> twice (B, H, W, C / 2)
        rows, columns = zip(*(part.chunk(2, dim=-1) for part in (q, k, v)))
        rows = self.attend_in_rows(*rows, num_heads=self.num_heads)
        columns = self.attend_in_columns(*columns, num_heads=self.num_heads)
        return torch.cat([rows, columns], dim=-1)

    def forward(self, x: Tensor) -> Tensor:
        out = self.attend_in_pales(self.q(x), self.k(x), self.v(x))
        return self.project(out)


class SequentialPaleAttention(PaleAttention):
    """Self-attention of all channels within rows or within columns.

    Table 6's "pale-sequential".

    Args:
        in_columns: Whether the groups are columns.
        **kwargs: Further arguments of `PaleAttention`.
    """

    def __init__(self, *args, in_columns: bool = False, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.in_columns = in_columns

    def attend_in_pales(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        attend = (
            self.attend_in_columns if self.in_columns else self.attend_in_rows
        )
        return attend(q, k, v, num_heads=2 * self.num_heads)


class VanillaPaleAttention(PaleAttention):
    """Self-attention within whole pales, all in one call.

    Table 6's "pale-vanilla". Pale i is row group i and column group i
    together; a map has N = ceil(max(H, W) / size) of each, so that the
    shorter side is padded to the longer. A token lies in two pales, that of
    its row and that of its column (possibly the same), and gets the mean of
    both.
    """

    def attend_in_pales(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        height, width = q.shape[1:3]
        groups = RowGroups(max(height, width), self.pale_size)
        side = groups.number * groups.size
        pad = (0, 0, 0, side - width, 0, side - height)
        real = q.new_ones(1, height, width, 1)
        q, k, v, real = (F.pad(part, pad) for part in (q, k, v, real))
        groups = RowGroups(side, groups.size)
        number = groups.number

        def to_pales(x: Tensor, columns: Tensor) -> Tensor:
            # twice (B * N, s, side, C) -> (B * N, 2 * s, side, C)
            parts = groups.cut(x), groups.cut(columns.transpose(1, 2))
            return torch.cat(parts, dim=1)

        # Where rows and columns of a pale cross, the rows provide the key.
        pale = torch.arange(side, device=q.device) % number
        crosses = (pale[:, None] == pale)[None, :, :, None]
        # (N, 2 * s, side, 1) -> (N, 2 * s * side)
        kept = to_pales(real, real * ~crosses).flatten(1)
        out = self.attend(
            *(to_pales(part, part) for part in (q, k, v)),
            padding_bias(kept, len(q)),
            2 * self.num_heads,
        )
        # (B * N, 2 * s, side, C) -> twice (B, side, side, C)
        rows, columns = (groups.join(part) for part in out.chunk(2, dim=1))
        out = (rows + columns.transpose(1, 2)) / 2
        return out[:, :height, :width]


# The attentions of Table 6, with what differs from the parallel one.
ATTENTIONS = {
    'axial': (PaleAttention, dict(pale_size=1)),
    'cross-shaped': (PaleAttention, dict(interlaced=False)),
    'pale-vanilla': (VanillaPaleAttention, {}),
    'pale-sequential': (SequentialPaleAttention, {}),
    'pale-parallel': (PaleAttention, {}),
}


@MODELS.register_module()
class PaleTransformer(PyramidBackbone):
    """Pale Transformer (Table 1).

    Args:
        arch: 'tiny', 'small', 'base', or a dict with the keys of
            `arch_zoo`'s entries; `pale_sizes` are the rows and columns of a
            pale in each stage (Table 5).
        attn_mode: The attention of Table 6. 'pale-parallel': interlaced rows
            for one half of the channels, interlaced columns for the other;
            'pale-sequential': all channels in rows and in columns,
            alternating from block to block; 'pale-vanilla': whole pales;
            'axial': as 'pale-parallel', in single rows and columns, whatever
            `pale_sizes` are; 'cross-shaped': as 'pale-parallel', in stripes
            of adjacent rows and columns.
        **kwargs: Further arguments of `PyramidBackbone`.
    """

    arch_zoo: ClassVar[dict[str, dict]] = {
        'tiny': doubling_arch(64, (2, 2, 16, 2), 2, pale_sizes=(7, 7, 7, 7)),
        'small': doubling_arch(96, (2, 2, 16, 2), 2, pale_sizes=(7, 7, 7, 7)),
        'base': doubling_arch(128, (2, 2, 16, 2), 4, pale_sizes=(7, 7, 7, 7)),
    }

    def __init__(
        self,
        arch: str | dict = 'tiny',
        attn_mode: str = 'pale-parallel',
        **kwargs,
    ) -> None:
        super().__init__(arch, **kwargs)
        if attn_mode not in ATTENTIONS:
            raise ValueError(
                f'attn_mode {attn_mode!r}: choose one of '
                f'{", ".join(ATTENTIONS)}'
            )
        for dims, heads in zip(self.embed_dims, self.arch['num_heads']):
            if dims % (2 * heads):
                raise ValueError(
                    f'num_heads {heads} must divide half of embed_dims {dims}'
                )
        self.attn_mode = attn_mode
        self.build_stages()

    def build_downsample(self, stage: int) -> PatchEmbed:
        return self.overlapping_embed(stage, bias=False)

    def build_attention(self, stage: int, index: int) -> PaleAttention:
        kind, changes = ATTENTIONS[self.attn_mode]
        options = dict(pale_size=self.arch['pale_sizes'][stage]) | changes
        if kind is SequentialPaleAttention:
            options['in_columns'] = index % 2 == 1
        return kind(
            self.embed_dims[stage],
            self.arch['num_heads'][stage],
            **options,
            **self.attn_drops,
        )

    def build_positions(self, stage: int, index: int) -> dict[str, nn.Module]:  # noqa: ARG002
        return dict(cpe=DepthwiseConv(self.embed_dims[stage]))
