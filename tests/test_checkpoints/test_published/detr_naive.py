"""DETR from its paper, computed from the published weights by name."""

import math

import torch
from torch import Tensor

from .naive import Weights, to_tokens

HEADS = 8
PARTS = 'bbox_head.transformer'


def sine_positions(inside: Tensor) -> Tensor:
    """Encode places in the part of a map that is no padding.

    Shape: inside (H, W) of 0 and 1 -> (N, 256), rows before columns.
    """
    parts = []
    for axis in (0, 1):
        place = inside.cumsum(axis)
        last = place[-1:] if axis == 0 else place[:, -1:]
        place = place / (last + 1e-6) * 2 * math.pi
        wave = 10000 ** (2 * (torch.arange(128) // 2) / 128)
        angles = place[..., None] / wave
        even = torch.arange(128) % 2 == 0
        parts.append(torch.where(even, angles.sin(), angles.cos()))
    return torch.cat(parts, -1).flatten(0, 1)


def attention(
    net: Weights,
    name: str,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    padding: Tensor | None = None,
) -> Tensor:
    """Multi-head attention; `padding` marks keys that do not exist."""
    weights = net[f'{name}.attn.in_proj_weight'].chunk(3)
    biases = net[f'{name}.attn.in_proj_bias'].chunk(3)
    q, k, v = (
        x @ weight.T + bias
        for x, weight, bias in zip((q, k, v), weights, biases)
    )
    outs = []
    for hq, hk, hv in zip(*(x.chunk(HEADS, -1) for x in (q, k, v))):
        logits = hq @ hk.mT / hq.shape[-1] ** 0.5
        if padding is not None:
            logits = logits.masked_fill(padding, -torch.inf)
        outs.append(logits.softmax(-1) @ hv)
    return net.linear(torch.cat(outs, -1), f'{name}.attn.out_proj')


def feed_forward(net: Weights, x: Tensor, name: str) -> Tensor:
    hidden = net.linear(x, f'{name}.layers.0.0').relu()
    return net.linear(hidden, f'{name}.layers.1')


def detr(
    net: Weights, last_map: Tensor, inside: Tensor
) -> tuple[Tensor, Tensor]:
    """Scores and boxes of six decoder layers for one image.

    Args:
        net: The weights.
        last_map: What the backbone returns.
        inside: (H, W), 0 where that map is padding.
    """
    x = to_tokens(net.conv(last_map, 'bbox_head.input_proj', 1, 0))
    positions = sine_positions(inside)
    padding = inside.flatten() == 0
    for index in range(6):
        layer = f'{PARTS}.encoder.layers.{index}'
        q = x + positions
        x = x + attention(net, f'{layer}.attentions.0', q, q, x, padding)
        x = net.norm(x, f'{layer}.norms.0', 1e-5)
        x = x + feed_forward(net, x, f'{layer}.ffns.0')
        x = net.norm(x, f'{layer}.norms.1', 1e-5)
    queries = net['bbox_head.query_embedding.weight'][None]
    out, scores, boxes = torch.zeros_like(queries), [], []
    for index in range(6):
        layer = f'{PARTS}.decoder.layers.{index}'
        q = out + queries
        out = out + attention(net, f'{layer}.attentions.0', q, q, out)
        out = net.norm(out, f'{layer}.norms.0', 1e-5)
        q, name = out + queries, f'{layer}.attentions.1'
        out = out + attention(net, name, q, x + positions, x, padding)
        out = net.norm(out, f'{layer}.norms.1', 1e-5)
        out = out + feed_forward(net, out, f'{layer}.ffns.0')
        out = net.norm(out, f'{layer}.norms.2', 1e-5)
        normed = net.norm(out, f'{PARTS}.decoder.post_norm', 1e-5)
        scores.append(net.linear(normed, 'bbox_head.fc_cls'))
        hidden = feed_forward(net, normed, 'bbox_head.reg_ffn').relu()
        boxes.append(net.linear(hidden, 'bbox_head.fc_reg').sigmoid())
    return torch.stack(scores), torch.stack(boxes)
