"""Pale Transformer.

`Pale Transformer: A General Vision Transformer Backbone with Pale-Shaped
Attention <https://arxiv.org/abs/2112.14000>`_. No code of its authors is
public. Where the paper leaves a choice:

- q, k and v come from all channels and are split in two halves afterwards,
  which gives the parameters of Table 2; Eq. 2 can also be read as
  convolutions within each half, which are far fewer;
- Table 1's heads are those of each half. Modes that do not split the channels
  have twice as many, so that the width of a head is the same;
- patch merging is a convolution without bias and a LayerNorm;
- a token of the vanilla mode lies in the pale of its row and in the pale of
  its column, and gets the mean of what it attends to in both.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmvit.registry import MODELS

from ..layers import (
    DepthwiseConv,
    PatchEmbed,
    TransformerBlock,
    attend_in_pales,
    attend_in_rows,
)
from .pyramid import PyramidBackbone

MODES = (
    'axial',
    'cross-shaped',
    'pale-vanilla',
    'pale-sequential',
    'pale-parallel',
)


class SeparableConv(BaseModule):
    """Depth-wise convolution, BatchNorm and a linear layer.

    Args:
        embed_dims: Channels C of input and output.
        bias: Whether the linear layer has a bias.

    Shape: x (B, H, W, C) -> (B, H, W, C).
    """

    def __init__(self, embed_dims: int, bias: bool = True) -> None:
        super().__init__()
        self.depthwise = DepthwiseConv(embed_dims)
        self.norm = nn.BatchNorm2d(embed_dims)
        self.pointwise = nn.Linear(embed_dims, embed_dims, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        # A permuted map is a channels-last tensor: no copy is made.
        x = self.norm(self.depthwise(x).permute(0, 3, 1, 2))
        return self.pointwise(x.permute(0, 2, 3, 1))


class PaleAttention(BaseModule):
    """Self-attention within pales, or within what Table 6 has instead.

    Section "Pale-Shaped self-Attention", Eq. 1 to 3.

    Args:
        embed_dims: Channels C of input and output.
        num_heads: Heads h of each half of the channels.
        pale_size: Rows, and columns, of a pale; of a stripe in the mode
            'cross-shaped'. The mode 'axial' has one, whatever is given.
        mode: 'pale-parallel' attends in interlaced rows with one half of the
            channels and in interlaced columns with the other;
            'pale-sequential' with all channels in one of both;
            'pale-vanilla' within whole pales; 'axial' as 'pale-parallel', in
            single rows and columns; 'cross-shaped' as 'pale-parallel', in
            rows and columns that lie side by side.
        in_columns: For 'pale-sequential': columns in place of rows.
        qkv_bias: Whether the linear layers to q, k and v have a bias.
        attn_drop_rate: Dropout of the attention weights.
        drop_rate: Dropout of the output.

    Shape: x (B, H, W, C) -> (B, H, W, C).
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        pale_size: int = 7,
        mode: str = 'pale-parallel',
        in_columns: bool = False,
        qkv_bias: bool = True,
        attn_drop_rate: float = 0.0,
        drop_rate: float = 0.0,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.pale_size = 1 if mode == 'axial' else pale_size
        self.mode = mode
        self.in_columns = in_columns
        self.attn_drop_rate = attn_drop_rate
        self.q = SeparableConv(embed_dims, qkv_bias)
        self.k = SeparableConv(embed_dims, qkv_bias)
        self.v = SeparableConv(embed_dims, qkv_bias)
        self.proj = nn.Linear(embed_dims, embed_dims)
        self.proj_drop = nn.Dropout(drop_rate)

    def _in_rows(self, *qkv: Tensor, num_heads: int) -> Tensor:
        return attend_in_rows(
            *qkv,
            num_heads,
            self.pale_size,
            interlaced=self.mode != 'cross-shaped',
            drop_rate=self.attn_drop_rate if self.training else 0.0,
        )

    def _in_columns(self, *qkv: Tensor, num_heads: int) -> Tensor:
        qkv = [part.transpose(1, 2) for part in qkv]
        return self._in_rows(*qkv, num_heads=num_heads).transpose(1, 2)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if self.mode == 'pale-vanilla':
            return attend_in_pales(
                *(q, k, v, 2 * self.num_heads, self.pale_size),
                drop_rate=self.attn_drop_rate if self.training else 0.0,
            )
        if self.mode == 'pale-sequential':
            attend = self._in_columns if self.in_columns else self._in_rows
            return attend(q, k, v, num_heads=2 * self.num_heads)
        # (B, H, W, C) -> twice (B, H, W, C / 2)
        rows, columns = zip(*(part.chunk(2, dim=-1) for part in (q, k, v)))
        return torch.cat(
            [
                self._in_rows(*rows, num_heads=self.num_heads),
                self._in_columns(*columns, num_heads=self.num_heads),
            ],
            dim=-1,
        )

    def forward(self, x: Tensor) -> Tensor:
        out = self._attend(self.q(x), self.k(x), self.v(x))
        return self.proj_drop(self.proj(out))


class PaleBlock(TransformerBlock):
    """Position encoding, attention and an MLP, Eq. 6 to 8.

    Shape: x (B, H, W, C) -> (B, H, W, C), C = `embed_dims`.
    """

    def __init__(self, embed_dims: int, *args, **kwargs) -> None:
        super().__init__(embed_dims, *args, **kwargs)
        self.cpe = DepthwiseConv(embed_dims)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x + self.cpe(x))


@MODELS.register_module()
class PaleTransformer(PyramidBackbone):
    """Pale Transformer (Table 1).

    Args:
        arch: 'tiny', 'small', 'base', or a dict with the keys of
            `arch_zoo`'s entries.
        in_channels: Channels of the image.
        attn_mode: 'axial', 'cross-shaped', 'pale-vanilla',
            'pale-sequential' or 'pale-parallel' (Table 6), see
            `PaleAttention`. In turn, the sequential mode attends in rows and
            columns, from block to block.
        pale_sizes: Rows and columns of a pale in each stage (Table 5).
        qkv_bias: Whether the linear layers to q, k and v have a bias.
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

    # mlp_ratios 4, pale size 7
    arch_zoo: ClassVar[dict[str, dict]] = {
        'tiny': dict(
            embed_dims=(64, 128, 256, 512),
            depths=(2, 2, 16, 2),
            num_heads=(2, 4, 8, 16),
            mlp_ratios=(4, 4, 4, 4),
        ),
        'small': dict(
            embed_dims=(96, 192, 384, 768),
            depths=(2, 2, 16, 2),
            num_heads=(2, 4, 8, 16),
            mlp_ratios=(4, 4, 4, 4),
        ),
        'base': dict(
            embed_dims=(128, 256, 512, 1024),
            depths=(2, 2, 16, 2),
            num_heads=(4, 8, 16, 32),
            mlp_ratios=(4, 4, 4, 4),
        ),
    }

    def __init__(
        self,
        arch: str | dict = 'tiny',
        in_channels: int = 3,
        attn_mode: str = 'pale-parallel',
        pale_sizes: Sequence[int] = (7, 7, 7, 7),
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
        if attn_mode not in MODES:
            raise ValueError(
                f'attn_mode {attn_mode!r}: choose one of {", ".join(MODES)}'
            )
        if len(pale_sizes) != len(self.depths) or min(pale_sizes) < 1:
            raise ValueError(
                f'pale_sizes {pale_sizes!r}: give each of the '
                f'{len(self.depths)} stages a size of 1 or more'
            )
        for dims, heads in zip(self.embed_dims, self.arch['num_heads']):
            if dims % (2 * heads):
                raise ValueError(
                    f'embed_dims {dims} and num_heads {heads}: the heads '
                    'must divide half of the channels'
                )
        self.in_channels = in_channels
        self.attn_mode = attn_mode
        self.pale_sizes = tuple(pale_sizes)
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
                self.in_channels, self.embed_dims[0], 4, 7, 3, bias=False
            )
        return PatchEmbed(
            *self.embed_dims[stage - 1 : stage + 1], 2, 3, 1, bias=False
        )

    def build_block(
        self, stage: int, index: int, drop_path_rate: float
    ) -> PaleBlock:
        attn = PaleAttention(
            self.embed_dims[stage],
            self.arch['num_heads'][stage],
            self.pale_sizes[stage],
            self.attn_mode,
            in_columns=index % 2 == 1,
            **self.attn_cfg,
        )
        return PaleBlock(
            self.embed_dims[stage],
            attn,
            self.arch['mlp_ratios'][stage],
            self.drop_rate,
            drop_path_rate,
        )
