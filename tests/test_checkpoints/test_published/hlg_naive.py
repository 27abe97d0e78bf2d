"""HLG's classifier, computed from weights by their published names."""

import torch
from torch import Tensor, nn

from .naive import Weights, attend, gelu, to_map, to_tokens
from .published import HLG, HLG_HEADS


def conv_norm(
    net: Weights, x: Tensor, conv: str, norm: str, stride: int = 1
) -> Tensor:
    """A convolution with its bias, normalised by running statistics."""
    weight = net[f'{conv}.weight']
    x = nn.functional.conv2d(
        x,
        weight,
        net.weights.get(f'{conv}.bias'),
        stride,
        weight.shape[-1] // 2,
        groups=x.shape[1] // weight.shape[1],
    )
    return net.batch_norm(x, norm)


def mlp(net: Weights, x: Tensor, block: str, stride: int) -> Tensor:
    """(B, C_in, H, W) -> tokens (B, N, C)."""
    name = f'{block}.mlp'
    x = gelu(conv_norm(net, x, f'{name}.fc1', f'{name}.norm1'))
    x = gelu(conv_norm(net, x, f'{name}.fc2', f'{name}.norm2', stride))
    x = to_tokens(net.conv(x, f'{name}.fc3', 1, 0))
    return net.norm(x, f'{block}.norm2', 1e-5)


def bottleneck(net: Weights, x: Tensor, block: str) -> Tensor:
    """(B, C, H, W) -> the same."""
    y, name = x, f'{block}.spatial_smooth.0'
    for conv, norm in ((0, 1), (3, 4), (6, 7)):
        y = conv_norm(net, y, f'{name}.{conv}', f'{name}.{norm}')
        y = gelu(y) if norm < 7 else y
    return gelu(x + y)


def position_bias(net: Weights, name: str, q: Tensor, k: Tensor) -> Tensor:
    """Places (Nq, 2) and (Nk, 2) in tokens -> (h, Nq, Nk)."""
    x = net.linear(q[:, None] - k, f'{name}.pos_proj')
    for number in (1, 2, 3):
        x = net.norm(x, f'{name}.pos{number}.0', 1e-5).relu()
        x = net.linear(x, f'{name}.pos{number}.2')
    return x.permute(2, 0, 1)


def places(height: int, width: int) -> Tensor:
    """(y, x) of each token, row by row."""
    return torch.cartesian_prod(
        torch.arange(height).float(), torch.arange(width).float()
    )


def windows_of(side: int, dilated: bool) -> list[Tensor]:
    """Numbers of the tokens of each window, row by row."""
    count, step = side // 7, side // 7 if dilated else 1
    numbers = torch.arange(side**2).view(side, side)
    windows = []
    for row in range(count):
        for column in range(count):
            top, left = (row, column) if dilated else (7 * row, 7 * column)
            rows = slice(top, top + 6 * step + 1, step)
            columns = slice(left, left + 6 * step + 1, step)
            windows.append(numbers[rows, columns].flatten())
    return windows


def local_global(
    net: Weights,
    x: Tensor,
    block: str,
    heads: int,
    dilated: bool,
    raster: bool,
) -> Tensor:
    """Attention in windows, then to all windows: (B, C, S, S) -> tokens.

    With `raster`, the bias of window m is that of token m of the map, as in
    the release; else that of the window's centre.
    """
    side = x.shape[-1]
    x = to_tokens(bottleneck(net, x, block))
    normed = net.norm(x, f'{block}.norm0', 1e-5)
    q, v = net.linear(normed, f'{block}.q'), net.linear(normed, f'{block}.v')
    windows, everywhere = windows_of(side, dilated), places(side, side)
    near = position_bias(net, f'{block}.pos_local', places(7, 7), places(7, 7))
    local = torch.empty_like(x)
    for tokens in windows:
        inside = q[:, tokens]
        local[:, tokens] = attend(inside, inside, v[:, tokens], heads, near)
    x = x + local
    query = to_map(net.norm(local, f'{block}.norm1', 1e-5), side)
    q = q + to_tokens(net.conv(query, f'{block}.aux_q', 1, 1))
    means = torch.stack([x[:, tokens].mean(1) for tokens in windows], 1)
    means = net.norm(means, f'{block}.h0_norm', 1e-5)
    centres = torch.stack([everywhere[tokens].mean(0) for tokens in windows])
    if raster:
        centres = everywhere[: len(windows)]
    far = position_bias(net, f'{block}.pos_global', everywhere, centres)
    k, v = net.linear(means, f'{block}.k'), net.linear(means, f'{block}.v')
    out = attend(q, k, v, heads, far)
    return x + net.linear(out, f'{block}.global_attn.proj')


def full(net: Weights, x: Tensor, block: str, heads: int) -> Tensor:
    """The attention of stage 4: (B, C, S, S) -> tokens."""
    everywhere = places(*x.shape[2:])
    x = to_tokens(x)
    bias = position_bias(net, f'{block}.pos_global', everywhere, everywhere)
    q, k, v = (net.linear(x, f'{block}.{part}') for part in 'qkv')
    out = net.linear(attend(q, k, v, heads, bias), f'{block}.global_attn.proj')
    return x + net.norm(out, f'{block}.norm1', 1e-5)


def classifier(
    weights: dict[str, Tensor], image: Tensor, arch: str, raster: bool
) -> Tensor:
    """Logits of an image whose maps are multiples of the window."""
    net, x = Weights(weights), image
    for number, stride in ((0, 2), (1, 1)):
        name = f's0_conv.{number}'
        x = gelu(conv_norm(net, x, f'{name}.0', f'{name}.1', stride))
    for stage, depth in enumerate(HLG[arch]['depths']):
        heads = HLG_HEADS[arch][stage]
        for index in range(depth):
            block, stride = f'block{stage + 1}.{index}', 1 if index else 2
            tokens = mlp(net, x, block, stride)
            if index == 0:
                name = f'{block}.down_proj.proj'
                x = gelu(conv_norm(net, x, f'{name}.0', f'{name}.1', 2))
            side = x.shape[-1]
            x = to_map(to_tokens(x) + tokens, side)
            if stage == 3:
                tokens = full(net, x, block, heads)
            else:
                dilated = index % 2 == 1
                tokens = local_global(net, x, block, heads, dilated, raster)
            x = to_map(tokens, side)
    pooled = net.norm(to_tokens(x), 'norm', 1e-5).mean(1)
    return net.linear(pooled, 'head')
