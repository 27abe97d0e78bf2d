"""Hierarchical Local-Global (HLG) Transformers.

`Vision Transformers: From Semantic Segmentation to Dense Prediction
<https://arxiv.org/abs/2207.09339>`_, Section 3.3. The published code does not
run; where the paper contradicts itself, its own counts of parameters decided
(configs/hlg/README.md). Differs from the published modules:

- any input size: padded tokens of a window are masked in the local attention
  and excluded from the window's mean, and rows and columns have a dilation
  each;
- by default the paper is followed where the published code contradicts it.
  `window_bias`, `stem_kernel_size`, `mlp_width` and the archs
  'medium-released' and 'large-released' follow the code;
- convolutions before a batch normalisation have no bias, which would have no
  effect.
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
    RasterBiasAttention,
    ceil_div,
)
from .pyramid import PyramidBackbone, doubling_arch


@MODELS.register_module()
class HLGTransformer(PyramidBackbone):
    """HLG Transformer (Table 1).

    Args:
        arch, kwargs: See `PyramidBackbone`.
        windows: The local attentions that alternate in stages 1 to 3, of
            'plain' and 'dilated' (Table 13); None leaves local attention out
            (Table 14).
        dilation: Dilation in stage 1, halved and rounded up in each further
            stage (Table 13); None takes the smallest for which a window
            spans the map: 8, 4, 2 at 224x224.
        window_embedding: What makes a window one token: 'avg', 'max' or
            'dwconv' (Table 12).
        stem_kernel_size: Kernel of the stem's second convolution: 1 as in
            Table 1, or 3 as in the published weights.
        mlp_width: Whose channels `mlp_ratios` multiply in the first layer of
            stages 2 to 4: 'input', which gives the paper's parameters, or
            'output' as in the published classification code.
        window_bias: Which place gives a window its position bias in the
            global attention: its 'centre', or 'raster' as in the published
            code, where window m has the bias of token m, row by row.
    """

    # Table 1 prints depth 14 for stage 3 of medium and large; 18 gives the
    # parameters of Tables 5, 7, 10 and 11.
    arch_zoo: ClassVar[dict[str, dict]] = {
        'mobile': doubling_arch(48, (2, 2, 2, 2), 2),
        'tiny': doubling_arch(64, (2, 2, 6, 2), 2),
        'small': doubling_arch(96, (2, 2, 6, 2), 3),
        'medium': doubling_arch(96, (2, 2, 18, 2), 3),
        'large': doubling_arch(128, (2, 2, 18, 2), 4),
        'medium-released': doubling_arch(96, (2, 2, 14, 2), 3),
        'large-released': doubling_arch(128, (2, 2, 14, 2), 4),
    }

    def __init__(
        self,
        arch: str | dict = 'small',
        windows: Sequence[str] | None = ('plain', 'dilated'),
        dilation: int | None = None,
        window_embedding: str = 'avg',
        stem_kernel_size: int = 1,
        mlp_width: str = 'input',
        window_bias: str = 'centre',
        **kwargs,
    ) -> None:
        super().__init__(arch, **kwargs)
        if windows is not None and (isinstance(windows, str) or not windows):
            raise ValueError(
                f'windows {windows!r} must be None or the kinds that '
                "alternate, such as ('plain', 'dilated')"
            )
        if dilation is not None and dilation < 1:
            raise ValueError(f'dilation {dilation!r} must be 1 or more')
        if mlp_width not in ('input', 'output'):
            raise ValueError(
                f"mlp_width {mlp_width!r} must be 'input' or 'output'"
            )
        if window_bias not in ('centre', 'raster'):
            raise ValueError(
                f"window_bias {window_bias!r} must be 'centre' or 'raster'"
            )
        self.windows = tuple(windows) if windows else (None,)
        self.dilation = dilation
        self.window_embedding = window_embedding
        self.stem_kernel_size = stem_kernel_size
        self.mlp_width = mlp_width
        self.window_bias = window_bias
        self.build_stages()

    def build_downsample(self, stage: int) -> nn.Module:
        if stage:
            # The first layer of the stage halves the map.
            return nn.Identity()
        dims = self.embed_dims[0]
        return nn.Sequential(
            ConvNorm(self.in_channels, dims, 3, 2, act=nn.GELU()),
            ConvNorm(dims, dims, self.stem_kernel_size, act=nn.GELU()),
        )

    def build_block(self, stage: int, index: int) -> LocalGlobalLayer:
        dims = self.embed_dims[stage]
        if stage == 3:
            attn = FullAttention(**self.attn_args(stage))
        else:
            kind = LocalGlobalAttention
            if self.window_bias == 'raster':
                kind = RasterBiasAttention
            attn = kind(
                windows=self.windows[index % len(self.windows)],
                dilation=self.dilation and ceil_div(self.dilation, 2**stage),
                window_embedding=self.window_embedding,
                **self.attn_args(stage),
            )
        halves = index == 0
        in_channels = self.embed_dims[max(stage - halves, 0)]
        mlp_ratio = self.arch['mlp_ratios'][stage]
        if self.mlp_width == 'output':
            mlp_ratio *= dims / in_channels
        return LocalGlobalLayer(
            in_channels,
            dims,
            attn,
            2 if halves else 1,
            mlp_ratio=mlp_ratio,
            drop_rate=self.drop_rate,
        )
