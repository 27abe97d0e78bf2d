"""HLG's definitions, token by token, for tests of several layers."""

import itertools

import torch

from mmvit.models.layers import DynamicPositionBias


def randomize(module: torch.nn.Module) -> torch.nn.Module:
    torch.manual_seed(0)
    for param in module.parameters():
        torch.nn.init.normal_(param, std=0.3)
    return module.eval()


def windows_of(
    size: tuple[int, int], side: int, steps: tuple[int, int]
) -> list[list[tuple[int, int]]]:
    """The tokens of each window, in the order of the global tokens."""
    axes = []
    for length, step in zip(size, steps):
        starts = [
            start + offset
            for start in range(0, length, side * step)
            for offset in range(step)
        ]
        axes.append(
            [
                [i for i in range(s, s + side * step, step) if i < length]
                for s in starts
            ]
        )
    return [
        [(i, j) for i in rows for j in columns]
        for rows, columns in itertools.product(*axes)
    ]


def offset_bias(
    bias: DynamicPositionBias, row: float, column: float
) -> torch.Tensor:
    """The bias of one offset, layer by layer: (h,)."""
    out = torch.tensor([[float(row), float(column)]])
    for layer in bias.layers:
        out = layer(out)
    return out[0]
