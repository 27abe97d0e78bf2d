"""The two decoders of SETR that read one layer: Naive and PUP.

Section 3.4 of `SETR's and HLG's paper <https://arxiv.org/abs/2207.09339>`_.
"""

from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from mmvit.registry import MODELS


@MODELS.register_module()
class SETRPUPHead(BaseDecodeHead):
    """Progressive upsampling: convolutions alternate with upsampling.

    LayerNorm, then `num_convs` times a convolution with batch norm and ReLU
    and a bilinear upsampling, then the classifier. mmseg resizes the logits
    of every head to the image, which covers any stride that is left.
    `num_convs=2, up_scale=4` is Table 3's 2step; `num_convs=1, up_scale=4` is
    the paper's auxiliary head.

    Args:
        channels: Channels of the convolutions.
        num_convs: Number of convolutions. With factors of 2, an encoder of
            stride 16 needs 4 and one of stride 8 needs 3.
        up_scale: Factor of each upsampling.
        kernel_size: Side of the convolutions' kernels, odd.
        **kwargs: Further arguments of mmseg's BaseDecodeHead; dropout_ratio
            is 0 by default.

    Shape: inputs, of which `in_index` names one (B, in_channels, H, W) ->
        logits (B, num_classes, H * s, W * s), s = up_scale ** num_convs.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        num_convs: int = 4,
        up_scale: int = 2,
        kernel_size: int = 3,
        **kwargs,
    ) -> None:
        if num_convs < 1 or up_scale < 1 or kernel_size % 2 == 0:
            raise ValueError(
                f'num_convs {num_convs!r} and up_scale {up_scale!r} must be '
                f'at least 1, kernel_size {kernel_size!r} odd'
            )
        kwargs.setdefault('dropout_ratio', 0.0)
        super().__init__(in_channels, channels, **kwargs)
        self.norm = nn.LayerNorm(in_channels, eps=1e-6)
        upsample = nn.Identity()
        if up_scale > 1:
            upsample = nn.Upsample(
                scale_factor=up_scale,
                mode='bilinear',
                align_corners=self.align_corners,
            )
        self.steps = nn.ModuleList(
            nn.Sequential(
                ConvModule(
                    channels if index else in_channels,
                    channels,
                    kernel_size,
                    padding=kernel_size // 2,
                    conv_cfg=self.conv_cfg,
                    norm_cfg=self.norm_cfg,
                    act_cfg=self.act_cfg,
                ),
                upsample,
            )
            for index in range(num_convs)
        )

    def forward(self, inputs: tuple[Tensor, ...]) -> Tensor:
        x = self._transform_inputs(inputs)
        # (B, C, H, W) -> (B, H, W, C) and back, without a copy
        x = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        for step in self.steps:
            x = step(x)
        return self.cls_seg(x)


@MODELS.register_module()
class SETRNaiveHead(SETRPUPHead):
    """Two 1x1 convolutions, then one upsampling to the image's size.

    Differs from mmseg's, which upsamples by 4 before the classifier and by 4
    after it: that is `up_scale=4` here.

    Args:
        channels: Channels between the two convolutions.
        up_scale: Factor of an upsampling before the classifier.
        **kwargs: Further arguments of `SETRPUPHead`, whose shapes it has.
    """

    def __init__(
        self, in_channels: int, channels: int, up_scale: int = 1, **kwargs
    ) -> None:
        steps = dict(num_convs=1, up_scale=up_scale, kernel_size=1)
        super().__init__(in_channels, channels, **steps, **kwargs)
