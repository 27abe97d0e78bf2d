"""Operators written out, for functions that are computed from weights."""

import torch
import torch.nn.functional as F
from torch import Tensor


class Weights:
    """Published weights, applied by name.

    Args:
        weights: Names to tensors.
    """

    def __init__(self, weights: dict[str, Tensor]) -> None:
        self.weights = weights

    def __getitem__(self, name: str) -> Tensor:
        return self.weights[name]

    def linear(self, x: Tensor, name: str) -> Tensor:
        """Shape: x (..., C) -> (..., C')."""
        return x @ self[f'{name}.weight'].T + self[f'{name}.bias']

    def norm(self, x: Tensor, name: str, eps: float) -> Tensor:
        """Shape: x (..., C) -> (..., C)."""
        mean = x.mean(-1, keepdim=True)
        variance = (x - mean).square().mean(-1, keepdim=True)
        x = (x - mean) / (variance + eps).sqrt()
        return x * self[f'{name}.weight'] + self[f'{name}.bias']

    def conv(self, x: Tensor, name: str, stride: int, pad: int) -> Tensor:
        """Convolve patch by patch: (B, C, H, W) -> (B, C', H', W')."""
        kernel = self[f'{name}.weight']
        channels, _, side, _ = kernel.shape
        size = [(n + 2 * pad - side) // stride + 1 for n in x.shape[2:]]
        columns = F.unfold(x, side, padding=pad, stride=stride)
        if kernel.shape[1] == 1 and x.shape[1] > 1:
            # Each channel by itself.
            columns = columns.unflatten(1, (channels, -1))
            out = (columns * kernel.flatten(1)[..., None]).sum(2)
        else:
            out = kernel.flatten(1) @ columns
        if f'{name}.bias' in self.weights:
            out = out + self[f'{name}.bias'][:, None]
        return out.unflatten(2, size)

    def batch_norm(self, x: Tensor, name: str) -> Tensor:
        """Normalise by running statistics: (B, C, H, W) -> the same."""
        mean, var, scale, shift = (
            self[f'{name}.{part}'][:, None, None]
            for part in ('running_mean', 'running_var', 'weight', 'bias')
        )
        return (x - mean) / (var + 1e-5).sqrt() * scale + shift


def gelu(x: Tensor) -> Tensor:
    """Exact GELU."""
    return x * (1 + torch.erf(x / 2**0.5)) / 2


def attend(
    q: Tensor, k: Tensor, v: Tensor, heads: int, bias: Tensor | None = None
) -> Tensor:
    """Attention, head by head: (B, N, C), (B, Nk, C), (B, Nk, C').

    `bias` (heads, N, Nk) is added to the logits.
    """
    outs = []
    parts = zip(q.chunk(heads, -1), k.chunk(heads, -1), v.chunk(heads, -1))
    for head, (head_q, head_k, head_v) in enumerate(parts):
        logits = head_q @ head_k.transpose(1, 2) / head_q.shape[-1] ** 0.5
        if bias is not None:
            logits = logits + bias[head]
        outs.append(logits.softmax(-1) @ head_v)
    return torch.cat(outs, -1)


def to_map(tokens: Tensor, side: int) -> Tensor:
    """(B, N, C) -> (B, C, side, N / side)."""
    return tokens.transpose(1, 2).unflatten(2, (side, -1))


def to_tokens(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, N, C)."""
    return x.flatten(2).transpose(1, 2)
