"""The transformer block that most backbones use, and its parts."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn


class StochasticDepth(nn.Module):
    """Draws which images skip which branches (drop path), all at once.

    Args:
        rates: For each block, the probability that an image skips one of its
            two branches.

    Shape: x (B, ...) -> for each block the factors of its two branches,
        (B, 1, ...), or None where nothing is skipped.
    """

    def __init__(self, rates: Sequence[float]) -> None:
        super().__init__()
        self.rates = tuple(rates)
        kept = 1 - torch.tensor(self.rates)
        self.register_buffer('kept', kept, persistent=False)

    def forward(self, x: Tensor) -> list[Sequence[Tensor | None]]:
        factors = [(None, None)] * len(self.rates)
        if not (self.training and any(self.rates)):
            return factors
        # (blocks, ) -> (blocks, 2, B, 1, ...)
        kept = self.kept.view(-1, 1, 1, *[1] * (x.dim() - 1))
        drawn = torch.bernoulli(kept.expand(-1, 2, len(x), *kept.shape[3:]))
        for index, factor in enumerate(drawn.div_(kept).unbind()):
            if self.rates[index]:
                factors[index] = factor.unbind()
        return factors


class _ScaledBranch(torch.autograd.Function):
    """x + branch * factor: one kernel, and one in the backward pass.

    torch's own derivative of `addcmul` multiplies the factor first.
    """

    @staticmethod
    def forward(ctx, x: Tensor, branch: Tensor, factor: Tensor) -> Tensor:
        ctx.save_for_backward(factor)
        return torch.addcmul(x, branch, factor)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        (factor,) = ctx.saved_tensors
        return grad, grad * factor, None


def add_branch(x: Tensor, branch: Tensor, factor: Tensor | None) -> Tensor:
    """Add a branch to its input, times a factor of `StochasticDepth`."""
    if factor is None:
        return x + branch
    return _ScaledBranch.apply(x, branch, factor)


class Mlp(BaseModule):
    """Two linear layers with an exact GELU between them.

    Args:
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


class LayerScale(nn.Module):
    """A learned factor for each channel, at first `start`."""

    def __init__(self, embed_dims: int, start: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.full((embed_dims,), float(start)))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


class TransformerBlock(BaseModule):
    """An attention and an MLP, each with pre-normalisation and a residual.

    Args:
        mlp_ratio, drop_rate: See `Mlp`.
        norm_eps: Epsilon of the two LayerNorms.
        cpe: Convolution that adds positions before the attention
            (conditional position encoding), or None.
        peg: Convolution that adds positions after the MLP (position encoding
            generator), or None.
        layer_scale: Initial value of a LayerScale after the attention and
            after the MLP; None leaves them out.

    Shape: x (B, H, W, C), the two factors of `StochasticDepth`, and further
        arguments of the attention -> (B, H, W, C).
    """

    #: See `mmvit.engine.compilation`.
    is_compiled_alone = True

    def __init__(
        self,
        embed_dims: int,
        attn: nn.Module,
        mlp_ratio: float,
        drop_rate: float = 0.0,
        norm_eps: float = 1e-5,
        cpe: nn.Module | None = None,
        peg: nn.Module | None = None,
        layer_scale: float | None = None,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(embed_dims, eps=norm_eps)
        self.attn = attn
        self.norm2 = nn.LayerNorm(embed_dims, eps=norm_eps)
        self.mlp = Mlp(embed_dims, mlp_ratio, drop_rate)
        self.cpe = cpe
        self.peg = peg
        self.scale1 = self.scale2 = nn.Identity()
        if layer_scale is not None:
            self.scale1 = LayerScale(embed_dims, layer_scale)
            self.scale2 = LayerScale(embed_dims, layer_scale)

    def forward(
        self,
        x: Tensor,
        factor1: Tensor | None = None,
        factor2: Tensor | None = None,
        *attn_args: Any,
    ) -> Tensor:
        if self.cpe is not None:
            x = x + self.cpe(x)
        out = self.scale1(self.attn(self.norm1(x), *attn_args))
        x = add_branch(x, out, factor1)
        out = self.scale2(self.mlp(self.norm2(x)))
        x = add_branch(x, out, factor2)
        if self.peg is not None:
            x = x + self.peg(x)
        return x
