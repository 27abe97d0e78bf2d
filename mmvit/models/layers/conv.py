"""Convolutions of maps whose channels come last."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .sizes import must_pad


class ChannelsLastConv2d(nn.Conv2d):
    """nn.Conv2d, without dilation, for maps (B, H, W, C).

    Where the stride does not divide the map, zeros are added at the bottom
    and on the right, so that every token is read.

    Shape: x (B, H, W, in_channels) -> (B, ceil(H / stride),
        ceil(W / stride), out_channels).
    """

    def _missing(self, length: int) -> int:
        """Zeros to add behind an axis of this length."""
        stride, padding = self.stride[0], 2 * self.padding[0]
        kernel = self.kernel_size[0]
        # Compilers treat `max` badly: only where nothing else is certain.
        if kernel - 1 <= padding:
            return 0
        missing = -length % stride + kernel - stride - padding
        always = kernel >= stride + padding
        return missing if always else torch.sym_max(0, missing)

    # nn.Conv2d.forward calls this with the layer's own weights.
    def _conv_forward(
        self, x: Tensor, weight: Tensor, bias: Tensor | None
    ) -> Tensor:
        if self.kernel_size == self.stride == (1, 1) and self.groups == 1:
            # A 1x1 convolution of a channels-last map is a linear layer.
            return F.linear(x, weight.flatten(1), bias)
        bottom, right = self._missing(x.shape[1]), self._missing(x.shape[2])
        if must_pad(bottom, right):
            x = F.pad(x, (0, 0, 0, right, 0, bottom))
        # A permuted map is a channels-last tensor: no copy is made.
        x = x.permute(0, 3, 1, 2)
        if 1 < self.groups == self.in_channels < self.out_channels:
            return self._conv_multiplied(x, weight, bias)
        return super()._conv_forward(x, weight, bias).permute(0, 2, 3, 1)

    def _conv_multiplied(
        self, x: Tensor, weight: Tensor, bias: Tensor | None
    ) -> Tensor:
        """Depth-wise convolution with several outputs for each channel.

        cuDNN runs such a convolution channel by channel. Here it is one
        depth-wise convolution for each of the outputs.
        """
        weights = weight.unflatten(0, (self.groups, -1)).unbind(1)
        biases = [None] * len(weights)
        if bias is not None:
            biases = bias.unflatten(0, (self.groups, -1)).unbind(1)
        maps = [
            super(ChannelsLastConv2d, self)._conv_forward(x, *part)
            for part in zip(weights, biases)
        ]
        maps = [part.permute(0, 2, 3, 1) for part in maps]
        return torch.stack(maps, -1).flatten(3)


class DepthwiseConv(ChannelsLastConv2d):
    """Depth-wise convolution with bias.

    With stride 1 the map keeps its size; with any other stride nothing is
    padded at the top and on the left.

    Shape: x (B, H, W, C) -> (B, ceil(H / stride), ceil(W / stride), C).
    """

    def __init__(
        self, channels: int, kernel_size: int = 3, stride: int = 1
    ) -> None:
        padding = kernel_size // 2 if stride == 1 else 0
        super().__init__(
            channels, channels, kernel_size, stride, padding, groups=channels
        )


class ConvNorm(nn.Module):
    """Convolution, batch normalisation and an activation.

    In evaluation the normalisation is folded into the convolution's weights.

    Args:
        kernel_size: Side of the kernel; half of it, rounded down, is the
            padding on each side.
        act: The activation; None is none.

    Shape: x (B, H, W, in_channels) -> (B, ceil(H / stride),
        ceil(W / stride), out_channels).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        stride: int = 1,
        groups: int = 1,
        act: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.conv = ChannelsLastConv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding=kernel_size // 2,
            groups=groups,
            bias=False,
        )
        self.norm = nn.BatchNorm2d(out_channels)
        self.act = act or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        # An image is still NCHW in memory here; for a map this is a no-op.
        x = x.contiguous()
        norm = self.norm
        if norm.training:
            x = norm(self.conv(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        else:
            scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
            weight = self.conv.weight * scale[:, None, None, None]
            bias = norm.bias - norm.running_mean * scale
            x = self.conv._conv_forward(x, weight, bias)
        return self.act(x)


class Bottleneck(nn.Module):
    """Residual bottleneck of convolutions with C / 4 hidden channels.

    Shape: x (B, H, W, C) -> (B, H, W, C), C = `embed_dims`.
    """

    def __init__(self, embed_dims: int) -> None:
        super().__init__()
        dims = embed_dims // 4
        self.layers = nn.Sequential(
            ConvNorm(embed_dims, dims, act=nn.GELU()),
            ConvNorm(dims, dims, 3, act=nn.GELU()),
            ConvNorm(dims, embed_dims),
        )
        self.act = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(x + self.layers(x))
