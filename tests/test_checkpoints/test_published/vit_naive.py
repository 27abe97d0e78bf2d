"""ViT, DeiT and BEiT with timm's names: their shapes and their function."""

import torch
from torch import Tensor

from .naive import Weights, gelu, to_tokens


def vit_shapes(
    dims: int, depth: int, heads: int, side: int, kind: str
) -> dict[str, tuple[int, ...]]:
    """timm's names and shapes: kind 'vit', 'deit' (distilled) or 'beit'."""
    shapes: dict[str, tuple[int, ...]] = {'cls_token': (1, 1, dims)}

    def layer(name: str, *shape: int, bias: bool = True) -> None:
        shapes[f'{name}.weight'] = shape
        if bias:
            shapes[f'{name}.bias'] = shape[:1]

    is_beit = kind == 'beit'
    if not is_beit:
        shapes['pos_embed'] = (1, side**2 + 1 + (kind == 'deit'), dims)
    if kind == 'deit':
        shapes['dist_token'] = (1, 1, dims)
        layer('head_dist', 1000, dims)
    layer('patch_embed.proj', dims, 3, 16, 16)
    for index in range(depth):
        block = f'blocks.{index}'
        layer(f'{block}.norm1', dims)
        layer(f'{block}.attn.qkv', 3 * dims, dims, bias=not is_beit)
        if is_beit:
            shapes[f'{block}.attn.q_bias'] = (dims,)
            shapes[f'{block}.attn.v_bias'] = (dims,)
            rows = (2 * side - 1) ** 2 + 3
            name = f'{block}.attn.relative_position'
            shapes[f'{name}_bias_table'] = (rows, heads)
            shapes[f'{name}_index'] = (side**2 + 1,) * 2
            shapes[f'{block}.gamma_1'] = (dims,)
            shapes[f'{block}.gamma_2'] = (dims,)
        layer(f'{block}.attn.proj', dims, dims)
        layer(f'{block}.norm2', dims)
        layer(f'{block}.mlp.fc1', 4 * dims, dims)
        layer(f'{block}.mlp.fc2', dims, 4 * dims)
    layer('fc_norm' if is_beit else 'norm', dims)
    layer('head', 1000, dims)
    return shapes


def vit_layers(
    weights: dict[str, Tensor],
    image: Tensor,
    depth: int,
    heads: int,
    with_cls: bool = True,
) -> list[Tensor]:
    """Each layer's tokens of the map, from the papers and the weights.

    Without `with_cls`, the class token is cut off before the first layer.
    """
    net = Weights(weights)
    x = net.conv(image, 'patch_embed.proj', 16, 0)
    side = x.shape[-1]
    x = to_tokens(x)
    token = weights['cls_token'].expand(len(x), -1, -1)
    if 'pos_embed' in weights:
        positions = weights['pos_embed']
        # DeiT's second token is left out, and so is its position.
        token = token + positions[:, :1]
        x = x + positions[:, -x.shape[1] :]
    if with_cls:
        x = torch.cat([token, x], dim=1)
    outs = []
    for index in range(depth):
        block = f'blocks.{index}'
        hidden = net.norm(x, f'{block}.norm1', 1e-6)
        qkv = hidden @ weights[f'{block}.attn.qkv.weight'].T
        q, k, v = qkv.chunk(3, -1)
        if 'pos_embed' in weights:
            bias = weights[f'{block}.attn.qkv.bias']
            q, k, v = (a + b for a, b in zip((q, k, v), bias.chunk(3)))
        else:
            q = q + weights[f'{block}.attn.q_bias']
            v = v + weights[f'{block}.attn.v_bias']
        table = weights.get(f'{block}.attn.relative_position_bias_table')
        parts = []
        for head, (hq, hk, hv) in enumerate(
            zip(*(part.chunk(heads, -1) for part in (q, k, v)))
        ):
            logits = hq @ hk.transpose(1, 2) / hq.shape[-1] ** 0.5
            if table is not None:
                logits = logits + beit_bias(table[:, head], side)
            parts.append(logits.softmax(-1) @ hv)
        out = net.linear(torch.cat(parts, -1), f'{block}.attn.proj')
        x = x + weights.get(f'{block}.gamma_1', 1) * out
        hidden = net.norm(x, f'{block}.norm2', 1e-6)
        hidden = gelu(net.linear(hidden, f'{block}.mlp.fc1'))
        out = net.linear(hidden, f'{block}.mlp.fc2')
        x = x + weights.get(f'{block}.gamma_2', 1) * out
        outs.append(x[:, with_cls:])
    return outs


def beit_bias(table: Tensor, side: int) -> Tensor:
    """One head's (1 + N, 1 + N) from BEiT's rows, entry by entry."""
    number = side**2 + 1
    bias = torch.empty(number, number)
    bias[0, :], bias[:, 0], bias[0, 0] = table[-3], table[-2], table[-1]
    for query in range(side**2):
        for key in range(side**2):
            rows = query // side - key // side + side - 1
            columns = query % side - key % side + side - 1
            bias[query + 1, key + 1] = table[rows * (2 * side - 1) + columns]
    return bias
