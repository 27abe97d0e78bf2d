"""Patch embedding and downsampling."""

from mmengine.model import BaseModule
from torch import Tensor, nn

from .conv import ChannelsLastConv2d


class PatchEmbed(BaseModule):
    """Strided convolution and LayerNorm.

    It embeds the patches of an image, downsamples maps between stages and
    reduces the keys of PVT's attention.

    Args:
        kernel_size: Side of the kernel; None is the stride, for patches that
            do not overlap.
        norm_eps: Epsilon of the LayerNorm.
        **conv_args: Further arguments of the convolution, such as `padding`.

    Shape: (B, H, W, in_channels) -> (B, H', W', C), H' = ceil(H / stride).
    """

    def __init__(
        self,
        in_channels: int,
        embed_dims: int,
        stride: int,
        kernel_size: int | None = None,
        norm_eps: float = 1e-5,
        **conv_args: int,
    ) -> None:
        super().__init__()
        self.projection = ChannelsLastConv2d(
            in_channels, embed_dims, kernel_size or stride, stride, **conv_args
        )
        self.norm = nn.LayerNorm(embed_dims, eps=norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.projection(x))
