"""The transformer block that most backbones use, and its parts."""

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn


class Residual(nn.Module):
    """Adds a branch to its input, with stochastic depth (drop path).

    One kernel scales and adds the branch.

    Args:
        drop_path_rate: Probability that the branch is skipped for an image.

    Shape: x and branch (B, ...) -> (B, ...).
    """

    def __init__(self, drop_path_rate: float = 0.0) -> None:
        super().__init__()
        self.drop_path_rate = drop_path_rate

    def forward(self, x: Tensor, branch: Tensor) -> Tensor:
        if not (self.training and self.drop_path_rate):
            return x + branch
        kept = 1 - self.drop_path_rate
        scale = branch.new_empty(len(branch), *[1] * (branch.dim() - 1))
        return torch.addcmul(x, branch, scale.bernoulli_(kept).div_(kept))

    def extra_repr(self) -> str:
        return f'drop_path_rate={self.drop_path_rate}'


class Mlp(BaseModule):
    """Two linear layers with an exact GELU between them.

    Args:
        embed_dims: Channels C of input and output.
        mlp_ratio: Hidden channels as a multiple of C.
        drop_rate: Dropout after each layer.

    Shape: x (..., C) -> (..., C).
    """

    def __init__(
        self, embed_dims: int, mlp_ratio: float, drop_rate: float = 0.0
    ) -> None:
        super().__init__()
        hidden_dims = int(embed_dims * mlp_ratio)
        self.fc1 = nn.Linear(embed_dims, hidden_dims)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden_dims, embed_dims)
        self.drop = nn.Dropout(drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop(self.act(self.fc1(x)))
        return self.drop(self.fc2(x))


class TransformerBlock(BaseModule):
    """An attention and an MLP, each with pre-normalisation and a residual.

    Args:
        embed_dims: Channels C of input and output.
        attn: The attention.
        mlp_ratio: Hidden channels of the MLP as a multiple of C.
        drop_rate: Dropout of the MLP.
        drop_path_rate: Probability that a branch is skipped for an image.
        norm_eps: Epsilon of the two LayerNorms.
        cpe: Convolution that adds positions before the attention
            (conditional position encoding), or None.
        peg: Convolution that adds positions after the MLP (position encoding
            generator), or None.

    Shape: x (B, H, W, C) -> (B, H, W, C).
    """

    #: See `mmvit.engine.compilation`.
    is_compiled_alone = True

    def __init__(
        self,
        embed_dims: int,
        attn: nn.Module,
        mlp_ratio: float,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        norm_eps: float = 1e-5,
        cpe: nn.Module | None = None,
        peg: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(embed_dims, eps=norm_eps)
        self.attn = attn
        self.norm2 = nn.LayerNorm(embed_dims, eps=norm_eps)
        self.mlp = Mlp(embed_dims, mlp_ratio, drop_rate)
        self.residual = Residual(drop_path_rate)
        self.cpe = cpe
        self.peg = peg

    def forward(self, x: Tensor) -> Tensor:
        if self.cpe is not None:
            x = x + self.cpe(x)
        x = self.residual(x, self.attn(self.norm1(x)))
        x = self.residual(x, self.mlp(self.norm2(x)))
        if self.peg is not None:
            x = x + self.peg(x)
        return x
