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
    cached_by_size,
    ceil_div,
    in_order,
    is_symbolic,
    must_pad,
    padding_bias,
    take,
)
from .pyramid import PyramidBackbone, doubling_arch


class SeparableConvs(BaseModule):
    """Depth-wise convolution, BatchNorm and a linear layer, for q, k and v.

    All three are computed at once, from one stack of parameters.

    Shape: x (B, H, W, C) -> (3, B, H, W, C).
    """

    def __init__(self, embed_dims: int) -> None:
        super().__init__()
        self.depthwise = DepthwiseConv(3 * embed_dims)
        self.norm = nn.BatchNorm2d(3 * embed_dims)
        self.pointwise = nn.Linear(embed_dims, 3 * embed_dims)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.depthwise(x.repeat(1, 1, 1, 3))
        # A permuted map is a channels-last tensor: no copy is made.
        maps = self.norm(maps.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        # (B, H, W, 3 * C) -> (3, B * H * W, C)
        maps = maps.flatten(0, 2).unflatten(1, (3, -1)).transpose(0, 1)
        # (3 * C, C) -> (3, C, C)
        weight = self.pointwise.weight.unflatten(0, (3, -1))
        bias = self.pointwise.bias.view(3, 1, -1)
        out = torch.baddbmm(bias, maps, weight.transpose(1, 2))
        return out.unflatten(1, x.shape[:3])


@cached_by_size(
    lambda _, width, number, side, *__: [(float, number, 1, 1, side * width)]
)
def _row_mask(
    height: int, width: int, number: int, side: int, interlaced: int
) -> Tensor:
    """Logits that exclude the rows of N groups that are below the map.

    Shape: () -> (N, 1, 1, s * W).
    """
    real = torch.arange(number * side) < height
    real = real.view(side, number).T if interlaced else real.view(number, side)
    # Torch's ONNX exporter cannot repeat an open number of times.
    real = real[..., None].expand(-1, -1, width).flatten(1)
    return padding_bias(real)[:, None, None]


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
        self.qkv = SeparableConvs(embed_dims)
        self.build_projection()

    def upgrade_keys(self, state_dict: dict[str, Tensor], prefix: str) -> None:
        """Stack the layers of q, k and v, which earlier versions had."""
        for name in self.qkv.state_dict():
            keys = [f'{prefix}{part}.{name}' for part in 'qkv']
            if all(key in state_dict for key in keys):
                parts = [state_dict.pop(key) for key in keys]
                # All three have counted the same batches.
                stacked = torch.cat(parts) if parts[0].dim() else parts[0]
                state_dict[f'{prefix}qkv.{name}'] = stacked

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args, **kwargs
    ) -> None:
        self.upgrade_keys(state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def attend_in_rows(self, qkv: Tensor) -> Tensor:
        """Attention within groups of rows.

        Where the groups do not divide the map, rows are added below it, and
        masked.

        Shape: qkv (3, B, H, W, h, d) -> (B, H, W, h, d).
        """
        height, width, heads = qkv.shape[2:5]
        number = ceil_div(height, self.pale_size)
        side = self.pale_size
        if not is_symbolic(height):
            # A small map has smaller groups.
            rows = ceil_div(height, number)
            side = rows if self.interlaced else min(side, height)
        missing, mask = number * side - height, None
        if must_pad(missing):
            qkv = F.pad(qkv, (0, 0, 0, 0, 0, 0, 0, missing))
            sizes = height, width, number, side, int(self.interlaced)
            mask = _row_mask(*sizes, like=qkv)
        # (3, B, H', W, h, d) -> (3, B, N, s, W, h, d), s and N swapped if
        # interlaced -> (3, B, N, h, s, W, d)
        if self.interlaced:
            groups = qkv.unflatten(2, (side, number)).transpose(2, 3)
        else:
            groups = qkv.unflatten(2, (number, side))
        groups = in_order(groups.permute(0, 1, 2, 5, 3, 4, 6))
        q, k, v = groups.flatten(4, 5).flatten(2, 3).unbind()
        out = self.attend_by_window(q, k, v, mask=mask)
        # (B, N * h, s * W, d) -> (B, N, s, W, h, d)
        out = out.unflatten(2, (side, width)).unflatten(1, (number, heads))
        out = out.permute(0, 1, 3, 4, 2, 5)
        if self.interlaced:
            out = out.transpose(1, 2)
        return take(in_order(out).flatten(1, 2), 1, height)

    def attend_in_columns(self, qkv: Tensor) -> Tensor:
        """Attention within groups of columns; see `attend_in_rows`."""
        return self.attend_in_rows(qkv.transpose(2, 3)).transpose(1, 2)

    def attend_in_pales(self, qkv: Tensor) -> Tensor:
        """Attention within pales.

        Shape: qkv (3, B, H, W, C) -> (B, H, W, C).
        """
        # (3, B, H, W, C) -> twice (3, B, H, W, h, d)
        qkv = qkv.unflatten(4, (2, self.num_heads, -1))
        rows, columns = qkv.unbind(4)
        outs = self.attend_in_rows(rows), self.attend_in_columns(columns)
        return torch.stack(outs, 3).flatten(3)

    def forward(self, x: Tensor) -> Tensor:
        return self.project(self.attend_in_pales(self.qkv(x)))


class SequentialPaleAttention(PaleAttention):
    """Attention of all channels in rows or in columns: "pale-sequential".

    Args:
        num_heads: Half of the heads h, since all are in one direction.
        in_columns: Whether the groups are columns.
        **kwargs: Further arguments of `PaleAttention`.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        in_columns: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(embed_dims, 2 * num_heads, **kwargs)
        self.in_columns = in_columns

    def attend_in_pales(self, qkv: Tensor) -> Tensor:
        qkv = qkv.unflatten(4, (self.num_heads, -1))
        if self.in_columns:
            return self.attend_in_columns(qkv).flatten(3)
        return self.attend_in_rows(qkv).flatten(3)


class VanillaPaleAttention(PaleAttention):
    """Attention within whole pales, in one call: "pale-vanilla" (Table 6).

    Pale i is row group i and column group i
    together; a map has N = ceil(max(H, W) / size) of each, so that the
    shorter side is padded to the longer. A token lies in two pales, that of
    its row and that of its column (possibly the same), and gets the mean of
    both.
    """

    def attend_in_pales(self, qkv: Tensor) -> Tensor:
        (height, width), heads = qkv.shape[2:4], 2 * self.num_heads
        longer = torch.sym_max(height, width)
        number = ceil_div(longer, self.pale_size)
        side = number * ceil_div(longer, number)
        pad = (0, 0, 0, side - width, 0, side - height)
        real = F.pad(qkv.new_ones(1, 1, height, width, 1), pad)
        # (3, B, H, W, C) -> (3, B, side, side, h, d)
        tokens = F.pad(qkv, pad).unflatten(4, (heads, -1))

        def to_pales(rows: Tensor, columns: Tensor) -> Tensor:
            # twice (P, B, side, side, h, d) -> (P, B, N * h, 2 * s * side, d)
            parts = torch.stack([rows, columns.transpose(2, 3)], 3)
            # (P, B, s * N, 2, side, h, d) -> (P, B, N, h, 2, s, side, d)
            parts = parts.unflatten(2, (-1, number))
            parts = in_order(parts.permute(0, 1, 3, 6, 4, 2, 5, 7))
            return parts.flatten(4, 6).flatten(2, 3)

        # Where rows and columns of a pale cross, the rows provide the key.
        pale = torch.arange(side, device=qkv.device) % number
        crosses = (pale[:, None] == pale)[..., None]
        kept = (part[..., None] for part in (real, real * ~crosses))
        # (1, 1, N, Nk, 1) -> (N, 1, 1, Nk)
        mask = padding_bias(to_pales(*kept)[0, 0, :, None, None, :, 0])
        mask = mask.expand(-1, heads, -1, -1).flatten(0, 1)[None]
        q, k, v = to_pales(tokens, tokens).unbind()
        out = self.attend_by_head(q, k, v, mask.to(q.dtype))
        # (B, N * h, 2 * s * side, d) -> (2, B, s, N, side, h, d)
        out = out.unflatten(2, (2, -1, side)).unflatten(1, (number, heads))
        out = out.permute(3, 0, 4, 1, 5, 2, 6)
        rows, columns = in_order(out).flatten(2, 3).flatten(4).unbind()
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
        arch, kwargs: See `PyramidBackbone`; `pale_sizes` are the rows and
            columns of a pale in each stage (Table 5).
        attn_mode: The attention of Table 6. 'pale-parallel': `PaleAttention`;
            'axial': the same in single rows and columns, whatever
            `pale_sizes` are; 'cross-shaped': the same in stripes of adjacent
            ones; 'pale-sequential': all channels in rows and in columns,
            alternating from block to block; 'pale-vanilla': whole pales.
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
        return kind(**self.attn_args(stage), **options)

    def build_positions(self, stage: int, index: int) -> dict[str, nn.Module]:  # noqa: ARG002
        return dict(cpe=DepthwiseConv(self.embed_dims[stage]))
