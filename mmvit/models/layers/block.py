from mmcv.cnn.bricks import DropPath
from mmengine.model import BaseModule
from torch import Tensor, nn

from .mlp import Mlp


class TransformerBlock(BaseModule):
    """An attention and an MLP, each normalised first, with residuals.

    Args:
        embed_dims: Channels C of input and output.
        attn: The attention.
        mlp_ratio: Hidden channels of the MLP as a multiple of C.
        drop_rate: Dropout of the MLP.
        drop_path_rate: Probability that a branch is left out for an image.
        norm_eps: Epsilon of the two LayerNorms.

    Shape: x (B, H, W, C) -> (B, H, W, C).
    """

    def __init__(
        self,
        embed_dims: int,
        attn: nn.Module,
        mlp_ratio: float,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        norm_eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(embed_dims, eps=norm_eps)
        self.attn = attn
        self.norm2 = nn.LayerNorm(embed_dims, eps=norm_eps)
        self.mlp = Mlp(embed_dims, mlp_ratio, drop_rate)
        self.drop_path = DropPath(drop_path_rate)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop_path(self.attn(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))
