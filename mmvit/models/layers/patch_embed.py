import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn


class PatchEmbed(BaseModule):
    """Convolution that shrinks a map, then LayerNorm.

    It embeds the image's patches, halves maps between stages and reduces the
    keys of PVT's attention. Zeros are added at the bottom and the right where
    the stride does not divide the input, so that no pixel is left out.

    Args:
        in_channels: Channels of the input.
        embed_dims: Channels C of the output.
        stride: Factor by which the map shrinks.
        kernel_size: Side of the convolution's kernel; None is the stride,
            patches without overlap.
        padding: Zeros on each side.
        norm_eps: Epsilon of the LayerNorm.

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
    ) -> None:
        super().__init__()
        self.projection = nn.Conv2d(
            in_channels, embed_dims, kernel_size or stride, stride, padding
        )
        self.norm = nn.LayerNorm(embed_dims, eps=norm_eps)

    def _missing(self, length: int) -> int:
        kernel_size = self.projection.kernel_size[0]
        stride = self.projection.stride[0]
        padding = self.projection.padding[0]
        reach = (-(-length // stride) - 1) * stride + kernel_size
        return max(0, reach - length - 2 * padding)

    def forward(self, x: Tensor) -> Tensor:
        bottom, right = self._missing(x.shape[1]), self._missing(x.shape[2])
        if bottom or right:
            x = F.pad(x, (0, 0, 0, right, 0, bottom))
        # A permuted map is a channels-last tensor: no copy is made.
        x = self.projection(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return self.norm(x)
