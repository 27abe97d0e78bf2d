"""The MLP of a transformer block."""

from mmengine.model import BaseModule
from torch import Tensor, nn


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
