"""The segmentation head of HLG.

Section 3.4 of `SETR's and HLG's paper <https://arxiv.org/abs/2207.09339>`_.
"""

from functools import partial

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from mmvit.registry import MODELS

from ..layers import LocalGlobalAttention, LocalGlobalLayer


@MODELS.register_module()
class HLGHead(BaseDecodeHead):
    """Fusion of all stages, HLG layers, classifier, progressive upsampling.

    One HLG layer has plain windows and one dilated windows, which span the
    map. Both have a head for every 32 channels.

    Differs from the text, which resizes the stages to a 16th of the image:
    the paper's FLOPs (243 G for HLG-Small at 512x512) are those of a quarter,
    the size of the first stage. The logits are then doubled twice.

    Args:
        channels: Channels of the fused map.
        window_size: Side of a window, in tokens.
        **kwargs: Further arguments of mmseg's BaseDecodeHead.

    Shape: inputs (B, C_i, H_i, W_i) -> logits (B, num_classes, 4 * H_0,
        4 * W_0).
    """

    def __init__(
        self,
        in_channels: list[int],
        channels: int,
        window_size: int = 8,
        **kwargs,
    ) -> None:
        init_cfg = [
            dict(type='Normal', layer='Linear', std=0.02, bias=0.0),
            dict(type='Normal', std=0.01, override=dict(name='conv_seg')),
        ]
        kwargs.setdefault('init_cfg', init_cfg)
        super().__init__(
            in_channels, channels, input_transform='multiple_select', **kwargs
        )
        self.fuse_conv = ConvModule(
            sum(in_channels),
            channels,
            3,
            padding=1,
            conv_cfg=self.conv_cfg,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
        )
        num_heads = max(channels // 32, 1)
        build = partial(LocalGlobalAttention, channels, num_heads, window_size)
        attentions = build('plain'), build('dilated')
        layers = [LocalGlobalLayer(channels, channels, a) for a in attentions]
        self.layers = nn.Sequential(*layers)

    def forward(self, inputs: tuple[Tensor, ...]) -> Tensor:
        resize = partial(
            F.interpolate, mode='bilinear', align_corners=self.align_corners
        )
        first, *others = self._transform_inputs(inputs)
        size = first.shape[2:]
        x = torch.cat([first, *(resize(other, size) for other in others)], 1)
        # (B, C, H, W) -> (B, H, W, C)
        x = self.layers(self.fuse_conv(x).permute(0, 2, 3, 1))
        x = self.cls_seg(x.permute(0, 3, 1, 2))
        return resize(resize(x, scale_factor=2), scale_factor=2)
