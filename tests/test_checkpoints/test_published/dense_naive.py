"""PVT and what stands on it, computed from published weights by name."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .naive import Weights, attend, gelu, to_map, to_tokens
from .published import PVT_DEPTHS, PVT_HEADS, PVT_REDUCTIONS


def pvt_stage(
    net: Weights, x: Tensor, stage: int, depth: int, prefix: str = ''
) -> Tensor:
    """One stage of PVT: (B, C_in, H, W) -> tokens (B, N, C).

    Where there is a class token, the last stage begins with it.
    """
    patch = 2 if stage else 4
    name = f'{prefix}patch_embed{stage + 1}'
    x = net.conv(x, f'{name}.proj', patch, 0)
    height = x.shape[2]
    positions = net[f'{prefix}pos_embed{stage + 1}']
    tokens = net.norm(to_tokens(x), f'{name}.norm', 1e-5)
    if stage == 3 and f'{prefix}cls_token' in net.weights:
        token = net[f'{prefix}cls_token'].expand(len(x), -1, -1)
        tokens = torch.cat([token, tokens], dim=1)
    else:
        side = math.isqrt(positions.shape[1])
        table = to_map(positions[:, -(side**2) :], side)
        table = F.interpolate(table, x.shape[2:], mode='bilinear')
        positions = to_tokens(table)
    tokens = tokens + positions
    for index in range(depth):
        block = f'{prefix}block{stage + 1}.{index}'
        normed = net.norm(tokens, f'{block}.norm1', 1e-6)
        source, reduction = normed, PVT_REDUCTIONS[stage]
        if reduction > 1:
            source = to_map(normed, height)
            source = net.conv(source, f'{block}.attn.sr', reduction, 0)
            source = net.norm(to_tokens(source), f'{block}.attn.norm', 1e-5)
        q = net.linear(normed, f'{block}.attn.q')
        k, v = net.linear(source, f'{block}.attn.kv').chunk(2, -1)
        out = attend(q, k, v, PVT_HEADS[stage])
        tokens = tokens + net.linear(out, f'{block}.attn.proj')
        hidden = net.norm(tokens, f'{block}.norm2', 1e-6)
        hidden = gelu(net.linear(hidden, f'{block}.mlp.fc1'))
        tokens = tokens + net.linear(hidden, f'{block}.mlp.fc2')
    return tokens


def pvt_maps(net: Weights, image: Tensor, arch: str) -> list[Tensor]:
    """The four maps of a dense model's backbone."""
    maps = [image]
    for stage, depth in enumerate(PVT_DEPTHS[arch]):
        tokens = pvt_stage(net, maps[-1], stage, depth, 'backbone.')
        maps.append(to_map(tokens, image.shape[2] // (4 * 2**stage)))
    return maps[1:]


def fpn(net: Weights, maps: list[Tensor]) -> list[Tensor]:
    """Feature pyramid, without added levels."""
    levels = [
        net.conv(x, f'neck.lateral_convs.{index}.conv', 1, 0)
        for index, x in enumerate(maps)
    ]
    for index in range(len(levels) - 1, 0, -1):
        above = F.interpolate(levels[index], scale_factor=2, mode='nearest')
        levels[index - 1] = levels[index - 1] + above
    return [
        net.conv(x, f'neck.fpn_convs.{index}.conv', 1, 1)
        for index, x in enumerate(levels)
    ]


def retinanet(net: Weights, maps: list[Tensor]) -> list[list[Tensor]]:
    """Class and box outputs of five levels."""
    levels = fpn(net, maps[1:])
    levels.append(net.conv(maps[-1], 'neck.fpn_convs.3.conv', 2, 1))
    levels.append(net.conv(levels[-1], 'neck.fpn_convs.4.conv', 2, 1))
    outs = []
    for part in ('cls', 'reg'):
        outs.append([])
        for x in levels:
            for index in range(4):
                name = f'bbox_head.{part}_convs.{index}.conv'
                x = net.conv(x, name, 1, 1).relu()
            outs[-1].append(net.conv(x, f'bbox_head.retina_{part}', 1, 1))
    return outs


def rpn(net: Weights, maps: list[Tensor]) -> list[list[Tensor]]:
    """Class and box outputs of Mask R-CNN's five levels."""
    levels = fpn(net, maps)
    levels.append(levels[-1][..., ::2, ::2])
    hidden = [net.conv(x, 'rpn_head.rpn_conv', 1, 1).relu() for x in levels]
    return [
        [net.conv(x, f'rpn_head.rpn_{part}', 1, 0) for x in hidden]
        for part in ('cls', 'reg')
    ]


def box_head(net: Weights, x: Tensor) -> list[Tensor]:
    """Scores and boxes of regions (n, 256, 7, 7)."""
    x, name = x.flatten(1), 'roi_head.bbox_head'
    for index in range(2):
        x = net.linear(x, f'{name}.shared_fcs.{index}').relu()
    return [net.linear(x, f'{name}.fc_{part}') for part in ('cls', 'reg')]


def mask_head(net: Weights, x: Tensor) -> Tensor:
    """Masks of regions (n, 256, 14, 14)."""
    name = 'roi_head.mask_head'
    for index in range(4):
        x = net.conv(x, f'{name}.convs.{index}.conv', 1, 1).relu()
    # A transposed convolution of stride 2: each token becomes a 2x2 square.
    kernel = net[f'{name}.upsample.weight']
    out = torch.einsum('nchw,cdij->ndhiwj', x, kernel).flatten(4).flatten(2, 3)
    out = out + net[f'{name}.upsample.bias'][:, None, None]
    return net.conv(out.relu(), f'{name}.conv_logits', 1, 0)


def semantic_fpn(net: Weights, maps: list[Tensor]) -> Tensor:
    """Logits at a quarter of the image's size."""
    total = 0
    for level, x in enumerate(fpn(net, maps)):
        for number in range(max(level, 1)):
            name = f'decode_head.scale_heads.{level}.{2 * number}'
            x = net.conv(x, f'{name}.conv', 1, 1)
            x = net.batch_norm(x, f'{name}.bn').relu()
            if level:
                x = F.interpolate(x, scale_factor=2, mode='bilinear')
        total = total + x
    return net.conv(total, 'decode_head.conv_seg', 1, 0)
