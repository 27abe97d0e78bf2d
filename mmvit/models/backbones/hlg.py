"""Hierarchical Local-Global (HLG) Transformers.

`Vision Transformers: From Semantic Segmentation to Dense Prediction
<https://arxiv.org/abs/2207.09339>`_, Section 3.3. The published code does not
run; where the paper contradicts itself, its own counts of parameters decided
(configs/hlg/README.md). Differs from the published modules:

- any input size: what fills up a window is masked in the local attention and
  left out of the window's mean, and the dilation follows rows and columns;
- the global attention's position bias is that of a query to a window's
  centre. The published code takes the first columns of a table of all tokens
  against all tokens;
- stage 3 of 'medium' and 'large' has 18 layers, not 14;
- the stem has a 1x1 convolution, as Table 1 says, where there is a 3x3 one
  (`stem_kernel_size`);
- convolutions before a batch normalisation have no bias, which would have no
  effect;
- the ablations of Tables 12 to 14 are arguments.
"""

from collections.abc import Sequence
from typing import ClassVar

from torch import nn

from mmvit.registry import MODELS

from ..layers import (
    ConvNorm,
    FullAttention,
    LocalGlobalAttention,
    LocalGlobalLayer,
)
from .pyramid import PyramidBackbone


@MODELS.register_module()
class HLGTransformer(PyramidBackbone):
    """HLG Transformer (Table 1).

    Args:
        arch: 'mobile', 'tiny', 'small', 'medium', 'large', or a dict with
            the keys of `arch_zoo`'s entries.
        in_channels: Channels of the image.
        windows: The local attentions that take turns in stages 1 to 3, of
            'plain' and 'dilated' (Table 13); None leaves local attention out
            (Table 14).
        dilation: Dilation of stage 1, half as much in each further stage,
            rounded up (Table 13); None lets it follow the map, so that a
            window spans it: 8, 4, 2 at 224x224.
        window_embedding: What makes a window one token: 'avg', 'max' or
            'dwconv' (Table 12).
        window_size: Side of a window, in tokens.
        stem_kernel_size: Kernel of the stem's second convolution: 1 as in
            Table 1, or 3 as in the published code.
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

    # mlp_ratios 4, window 7. Table 1 prints depth 14 for stage 3 of medium
    # and large; 18 gives the parameters of Tables 5, 7, 10 and 11.
    arch_zoo: ClassVar[dict[str, dict]] = {
        'mobile': dict(
            embed_dims=(48, 96, 192, 384),
            depths=(2, 2, 2, 2),
            num_heads=(2, 4, 8, 16),
            mlp_ratios=(4, 4, 4, 4),
        ),
        'tiny': dict(
            embed_dims=(64, 128, 256, 512),
            depths=(2, 2, 6, 2),
            num_heads=(2, 4, 8, 16),
            mlp_ratios=(4, 4, 4, 4),
        ),
        'small': dict(
            embed_dims=(96, 192, 384, 768),
            depths=(2, 2, 6, 2),
            num_heads=(3, 6, 12, 24),
            mlp_ratios=(4, 4, 4, 4),
        ),
        'medium': dict(
            embed_dims=(96, 192, 384, 768),
            depths=(2, 2, 18, 2),
            num_heads=(3, 6, 12, 24),
            mlp_ratios=(4, 4, 4, 4),
        ),
        'large': dict(
            embed_dims=(128, 256, 512, 1024),
            depths=(2, 2, 18, 2),
            num_heads=(4, 8, 16, 32),
            mlp_ratios=(4, 4, 4, 4),
        ),
    }

    def __init__(
        self,
        arch: str | dict = 'small',
        in_channels: int = 3,
        windows: Sequence[str] | None = ('plain', 'dilated'),
        dilation: int | None = None,
        window_embedding: str = 'avg',
        window_size: int = 7,
        stem_kernel_size: int = 1,
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
        if windows is not None and (isinstance(windows, str) or not windows):
            raise ValueError(
                f'windows {windows!r}: give the kinds that take turns, such '
                "as ('plain', 'dilated'), or None"
            )
        if dilation is not None and dilation < 1:
            raise ValueError(f'dilation {dilation!r} must be 1 or more')
        self.in_channels = in_channels
        self.windows = tuple(windows) if windows else (None,)
        self.dilation = dilation
        self.window_cfg = dict(
            window_size=window_size, window_embedding=window_embedding
        )
        self.stem_kernel_size = stem_kernel_size
        self.final_norm = final_norm
        self.drop_rate = drop_rate
        self.attn_cfg = dict(
            qkv_bias=qkv_bias,
            attn_drop_rate=attn_drop_rate,
            drop_rate=drop_rate,
        )
        self.build_stages()

    def build_downsample(self, stage: int) -> nn.Module:
        if stage:
            return nn.Identity()
        dims = self.embed_dims[0]
        return nn.Sequential(
            ConvNorm(self.in_channels, dims, 3, 2, act=nn.GELU()),
            ConvNorm(dims, dims, self.stem_kernel_size, act=nn.GELU()),
        )

    def build_attention(
        self, stage: int, index: int, drop_path_rate: float
    ) -> nn.Module:
        """Build the attention of block `index` of a stage."""
        dims, heads = self.embed_dims[stage], self.arch['num_heads'][stage]
        if stage == 3:
            return FullAttention(
                dims, heads, **self.attn_cfg, drop_path_rate=drop_path_rate
            )
        return LocalGlobalAttention(
            dims,
            heads,
            windows=self.windows[index % len(self.windows)],
            dilation=self.dilation and -(-self.dilation // 2**stage),
            **self.window_cfg,
            **self.attn_cfg,
            drop_path_rate=drop_path_rate,
        )

    def build_block(
        self, stage: int, index: int, drop_path_rate: float
    ) -> LocalGlobalLayer:
        halves = index == 0
        return LocalGlobalLayer(
            self.embed_dims[max(stage - halves, 0)],
            self.embed_dims[stage],
            self.build_attention(stage, index, drop_path_rate),
            2 if halves else 1,
            self.arch['mlp_ratios'][stage],
            self.drop_rate,
            drop_path_rate,
        )

    def build_norm(self, stage: int) -> nn.Module:
        if self.final_norm and stage == 3:
            return nn.LayerNorm(self.embed_dims[stage])
        return super().build_norm(stage)
