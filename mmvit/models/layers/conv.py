from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class MapConv(nn.Conv2d):
    """Convolution of a map whose channels come last.

    Zeros are added at the bottom and the right where the stride does not
    divide the map, so that no token is left out.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Side of the kernel.
        stride: Factor by which the map shrinks.
        padding: Zeros on each side.
        groups: See torch.
        bias: Whether a bias is added.

    Shape: x (B, H, W, in_channels) -> (B, ceil(H / stride),
        ceil(W / stride), out_channels).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            groups=groups,
            bias=bias,
        )

    def _missing(self, length: int) -> int:
        stride = self.stride[0]
        reach = (-(-length // stride) - 1) * stride + self.kernel_size[0]
        return max(0, reach - length - 2 * self.padding[0])

    def forward(self, x: Tensor) -> Tensor:
        return self.with_weights(x, self.weight, self.bias)

    def with_weights(
        self, x: Tensor, weight: Tensor, bias: Tensor | None
    ) -> Tensor:
        """Convolve with weights that are not the layer's own.

        Args:
            x: The map.
            weight: Of the shape of the layer's.
            bias: Of the shape of the layer's, or None.
        """
        if self.kernel_size == self.stride == (1, 1) and self.groups == 1:
            # On one thread PyTorch takes a slow way for such a convolution.
            return F.linear(x, weight.flatten(1), bias)
        bottom, right = self._missing(x.shape[1]), self._missing(x.shape[2])
        if bottom or right:
            x = F.pad(x, (0, 0, 0, right, 0, bottom))
        # A permuted map is a channels-last tensor: no copy is made.
        x = self._conv_forward(x.permute(0, 3, 1, 2), weight, bias)
        return x.permute(0, 2, 3, 1)


class DepthwiseConv(MapConv):
    """Convolution of each channel by itself, with bias.

    Args:
        channels: Channels C of input and output.
        kernel_size: Side of the kernel.
        stride: Factor by which the map shrinks. With 1 the map keeps its
            size, with another the kernel starts at the border.

    Shape: x (B, H, W, C) -> (B, ceil(H / stride), ceil(W / stride), C).
    """

    def __init__(
        self, channels: int, kernel_size: int = 3, stride: int = 1
    ) -> None:
        padding = kernel_size // 2 if stride == 1 else 0
        super().__init__(
            channels, channels, kernel_size, stride, padding, groups=channels
        )


class Moments(torch.autograd.Function):
    """Mean and covariance of tokens, with one product for the gradient.

    torch.cov takes 2.6 times as long, forward and backward on a CPU.

    Shape: tokens (N, C) -> (C,), (C, C).
    """

    @staticmethod
    def forward(ctx: Any, tokens: Tensor) -> tuple[Tensor, Tensor]:
        mean = tokens.mean(0)
        centred = tokens - mean
        ctx.save_for_backward(tokens, mean)
        return mean, centred.T @ centred / len(tokens)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, mean_grad: Tensor, grad: Tensor) -> Tensor:
        tokens, mean = ctx.saved_tensors
        # Through the mean that centres the tokens no gradient goes.
        grad = (grad + grad.T) / len(tokens)
        shift = mean_grad / len(tokens) - mean @ grad
        return torch.addmm(shift, tokens, grad)


class ConvNorm(nn.Module):
    """Convolution of a map, batch normalisation and an activation.

    The convolution has no bias, since the normalisation would take it away
    again. In evaluation the normalisation, then a fixed scale and shift of
    each channel, goes into the convolution's weights and not over the map.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Side of the kernel; half of it, rounded down, is added in
            zeros on each side.
        stride: Factor by which the map shrinks.
        groups: See torch.
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
        self.conv = MapConv(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            kernel_size // 2,
            groups,
            bias=False,
        )
        self.norm = nn.BatchNorm2d(out_channels)
        self.act = act or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        # Of an image the channels still come first; else no copy is made.
        x = x.contiguous()
        if self.norm.training:
            return self.act(self.normalise(self.conv(x)))
        norm = self.norm
        return self.with_norm(x, norm.running_mean, norm.running_var)

    def normalise(self, x: Tensor) -> Tensor:
        """Normalise what the convolution made.

        Shape: x (B, H, W, out_channels) -> (B, H, W, out_channels).
        """
        return self.norm(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)

    def with_norm(self, x: Tensor, mean: Tensor, var: Tensor) -> Tensor:
        """Convolve, normalise by a given mean and variance, and activate.

        Args:
            x: The map.
            mean: Of each channel that the convolution makes.
            var: Of each channel that the convolution makes.
        """
        scale = self.norm.weight * (var + self.norm.eps).rsqrt()
        weight = self.conv.weight * scale[:, None, None, None]
        bias = self.norm.bias - mean * scale
        return self.act(self.conv.with_weights(x, weight, bias))

    def has_batch_statistics(self, x: Tensor) -> bool:
        """Whether `batch_statistics` can tell those of a batch."""
        # SyncBatchNorm needs the maps of other processes, too, and autocast's
        # numbers are too coarse.
        return (
            type(self.norm) is nn.BatchNorm2d
            and self.norm.training
            and not torch.is_autocast_enabled(x.device.type)
        )

    def batch_statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of what a 1x1 convolution makes of a batch.

        They follow from the mean and the covariance of its input, W m and
        diag(W C W^T), so that the map itself need not be there. The running
        statistics take note of them.

        Args:
            x: The map.

        Shape: x (B, H, W, in_channels) -> (out_channels,), (out_channels,).
        """
        tokens = x.flatten(0, -2)
        mean, covariance = Moments.apply(tokens)
        weight = self.conv.weight.flatten(1)
        mean = weight @ mean
        # Rounding may take a variance of zero below it.
        var = (weight @ covariance * weight).sum(1).clamp(min=0)
        norm = self.norm
        with torch.no_grad():
            norm.num_batches_tracked.add_(1)
            norm.running_mean.lerp_(mean, norm.momentum)
            unbiased = var * (len(tokens) / (len(tokens) - 1))
            norm.running_var.lerp_(unbiased, norm.momentum)
        return mean, var
