"""Published weights, by their names and shapes, with random values."""

import torch
from torch import Tensor

PVT_DEPTHS = {
    'tiny': (2, 2, 2, 2),
    'small': (3, 4, 6, 3),
    'medium': (3, 4, 18, 3),
    'large': (3, 8, 27, 3),
}
PVT_WIDTHS = (64, 128, 320, 512)
PVT_HEADS = (1, 2, 5, 8)
PVT_REDUCTIONS = (8, 4, 2, 1)
PVT_MLP_RATIOS = (8, 8, 4, 4)


def pvt_shapes(arch: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a published PVT classifier."""
    shapes: dict[str, tuple[int, ...]] = {'cls_token': (1, 1, 512)}

    def layer(name: str, *shape: int) -> None:
        shapes[f'{name}.weight'] = shape
        shapes[f'{name}.bias'] = shape[:1]

    last = 3
    for stage, dims in enumerate(PVT_WIDTHS):
        number, patch = stage + 1, 2 if stage else 4
        tokens = (56 // 2**stage) ** 2 + (stage == 3)
        shapes[f'pos_embed{number}'] = (1, tokens, dims)
        layer(f'patch_embed{number}.proj', dims, last, patch, patch)
        layer(f'patch_embed{number}.norm', dims)
        for index in range(PVT_DEPTHS[arch][stage]):
            block = f'block{number}.{index}'
            hidden, side = dims * PVT_MLP_RATIOS[stage], PVT_REDUCTIONS[stage]
            layer(f'{block}.norm1', dims)
            layer(f'{block}.attn.q', dims, dims)
            layer(f'{block}.attn.kv', 2 * dims, dims)
            layer(f'{block}.attn.proj', dims, dims)
            if side > 1:
                layer(f'{block}.attn.sr', dims, dims, side, side)
                layer(f'{block}.attn.norm', dims)
            layer(f'{block}.norm2', dims)
            layer(f'{block}.mlp.fc1', hidden, dims)
            layer(f'{block}.mlp.fc2', dims, hidden)
        last = dims
    layer('norm', last)
    layer('head', 1000, last)
    return shapes


def random_weights(
    shapes: dict[str, tuple[int, ...]], seed: int = 0
) -> dict[str, Tensor]:
    """Values that keep activations in range, so that errors show."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in shapes.items():
        value = torch.randn(shape, generator=generator)
        if len(shape) in (2, 4):
            value /= value[0].numel() ** 0.5
        elif 'norm' in name and name.endswith('.weight'):
            value = 1 + 0.1 * value
        else:
            value *= 0.1
        weights[name] = value
    return weights
