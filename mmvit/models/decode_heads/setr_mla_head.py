"""The decoder of SETR that reads several layers: MLA.

Section 3.4 of `SETR's and HLG's paper <https://arxiv.org/abs/2207.09339>`_.
"""

from collections.abc import Sequence
from functools import partial

import torch
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from mmvit.registry import MODELS


class MLAStream(BaseModule):
    """The convolutions that process one layer of the encoder.

    Args:
        stream_channels: Channels after the 1x1 convolution.
        channels: Channels of the last two convolutions.
        up_scale, align_corners: Of the upsampling.
        **conv_args: `conv_cfg`, `norm_cfg` and `act_cfg` of mmcv's ConvModule.

    Shape: x (B, in_channels, H, W) and the sum of deeper streams, or None ->
        (B, channels, H * up_scale, W * up_scale), and the sum with this one.
    """

    def __init__(
        self,
        in_channels: int,
        stream_channels: int,
        channels: int,
        up_scale: int,
        align_corners: bool,
        **conv_args,
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(in_channels, eps=1e-6)
        self.reduce = ConvModule(in_channels, stream_channels, 1, **conv_args)
        conv = partial(ConvModule, kernel_size=3, padding=1, **conv_args)
        self.fuse = conv(stream_channels, stream_channels)
        self.convs = nn.Sequential(
            conv(stream_channels, channels), conv(channels, channels)
        )
        self.upsample = nn.Upsample(
            scale_factor=up_scale, mode='bilinear', align_corners=align_corners
        )

    def forward(
        self, x: Tensor, deeper: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        # (B, C, H, W) -> (B, H, W, C) and back, without a copy
        x = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        x = self.reduce(x)
        if deeper is not None:
            x = x + deeper
        return self.upsample(self.convs(self.fuse(x))), x


@MODELS.register_module()
class SETRMLAHead(BaseDecodeHead):
    """Multi-level feature aggregation.

    Each layer is normalised and reduced by a 1x1 convolution; from the
    deepest to the shallowest, each stream is added to the next one; each
    passes through three 3x3 convolutions and is upsampled; all are
    concatenated for the classifier. mmseg has the same in two parts, MLANeck
    and SETRMLAHead, and its auxiliary classifiers read the neck.

    Args:
        channels: Channels of all streams together, those of the classifier.
        in_index: Which of the encoder's outputs are read, shallow to deep.
        stream_channels: Channels after the 1x1 convolutions.
        up_scale: Factor of the upsampling; mmseg then resizes the logits of
            every head to the image.
        up_align_corners: `align_corners` of that upsampling; None takes the
            head's. It is True in the authors' release, whose last resizing
            has False.
        cls_kernel_size: Side of the classifier's kernel, odd: 1 as in mmseg,
            or 3 as in the authors' release.
        **kwargs: Further arguments of mmseg's BaseDecodeHead; dropout_ratio
            is 0 by default.

    Shape: inputs (B, in_channels[i], H, W) each -> logits (B, num_classes,
        H * up_scale, W * up_scale).
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: int,
        in_index: Sequence[int] = (0, 1, 2, 3),
        stream_channels: int = 256,
        up_scale: int = 4,
        up_align_corners: bool | None = None,
        cls_kernel_size: int = 1,
        **kwargs,
    ) -> None:
        if cls_kernel_size < 1 or cls_kernel_size % 2 == 0:
            raise ValueError(
                f'cls_kernel_size {cls_kernel_size!r} must be odd'
            )
        if channels % len(in_channels):
            raise ValueError(
                f'channels {channels!r} must be a multiple of the number of '
                f'layers, {len(in_channels)}'
            )
        kwargs = dict(in_index=in_index, dropout_ratio=0.0) | kwargs
        super().__init__(
            in_channels, channels, input_transform='multiple_select', **kwargs
        )
        if up_align_corners is None:
            up_align_corners = self.align_corners
        # From the deepest layer to the shallowest.
        self.streams = nn.ModuleList(
            MLAStream(
                dims,
                stream_channels,
                channels // len(in_channels),
                up_scale,
                up_align_corners,
                conv_cfg=self.conv_cfg,
                norm_cfg=self.norm_cfg,
                act_cfg=self.act_cfg,
            )
            for dims in reversed(in_channels)
        )
        if cls_kernel_size > 1:
            shape = cls_kernel_size, 1, cls_kernel_size // 2
            self.conv_seg = nn.Conv2d(channels, self.out_channels, *shape)

    def forward(self, inputs: tuple[Tensor, ...]) -> Tensor:
        outs, total = [], None
        layers = reversed(self._transform_inputs(inputs))
        for stream, x in zip(self.streams, layers):
            out, total = stream(x, total)
            outs.append(out)
        return self.cls_seg(torch.cat(outs, dim=1))
