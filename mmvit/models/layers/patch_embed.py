"""Patch embedding and downsampling."""

from mmengine.model import BaseModule
from torch import Tensor, nn

from .conv import ChannelsLastConv2d


class PatchEmbed(BaseModule):
    """Strided convolution and LayerNorm.

    It embeds the patches of an image, downsamples maps between stages and
    reduces the keys of PVT's attention.

    Args:
        in_channels: Channels of the input.
        embed_dims: Channels C of the output.
        stride: Factor by which the map shrinks.
        kernel_size: Side of the kernel; None is the stride, for patches that
            do not overlap.
        padding: Zeros on each side.
        norm_eps: Epsilon of the LayerNorm.
        bias: Whether the convolution has a bias.

    Shape: x (B, H, W, in_channels) -> (B, ceil(H / stride),
        ceil(W / stride), C).
    """

    def __init__(
        self,
        in_channels: int,
        embed_dims: int,
        stride: int,
        kernel_size: int | None = None,
        padding: int = 0,
        norm_eps: float = 1e-5,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.projection = ChannelsLastConv2d(
            in_channels,
            embed_dims,
            kernel_size or stride,
            stride,
            padding,
            bias=bias,
        )
        self.norm = nn.LayerNorm(embed_dims, eps=norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.projection(x))
