"""ScalableViT with published weights: the published function."""

import pytest
import torch
from torch import Tensor, nn

from mmvit.apis.config import build_model, load_config
from mmvit.checkpoints import convert_published

from .naive import Weights, attend, gelu, to_map, to_tokens
from .published import (
    PVT_REDUCTIONS,
    SCALABLEVIT,
    random_weights,
    scalablevit_shapes,
)

CONFIG = 'configs/scalablevit/scalablevit-{}_8xb128-300e_in1k.py'


def published_function(weights: dict[str, Tensor], image: Tensor) -> Tensor:
    """Logits of ScalableViT-S at 224x224, from the paper and the weights."""
    net, x, settings = Weights(weights), image, SCALABLEVIT['small']
    for stage in range(4):
        stride, pad = (2, 1) if stage else (4, 3)
        x = net.conv(x, f'patch_embeds.{stage}.proj', stride, pad)
        side, heads = x.shape[-1], settings['heads'][stage]
        tokens = net.norm(to_tokens(x), f'patch_embeds.{stage}.norm', 1e-6)
        for index in range(settings['depths'][stage]):
            block = f'stages.{stage}.{index}'
            attention = scalable if index % 2 else windowed
            tokens = tokens + attention(
                net,
                net.norm(tokens, f'{block}.norm1', 1e-6),
                f'{block}.attn',
                side,
                heads,
                PVT_REDUCTIONS[stage],
            )
            hidden = net.norm(tokens, f'{block}.norm2', 1e-6)
            hidden = gelu(net.linear(hidden, f'{block}.mlp.fc1'))
            tokens = tokens + net.linear(hidden, f'{block}.mlp.fc2')
            if index == 0:
                x = to_map(tokens, side)
                x = x + net.conv(x, f'pos_block.{stage}.proj.0', 1, 1)
                tokens = to_tokens(x)
        x = to_map(tokens, side)
    pooled = net.norm(tokens, 'norm', 1e-6).mean(1)
    hidden = net.norm(net.linear(pooled, 'head.0'), 'head.1', 1e-6)
    return net.linear(gelu(hidden), 'head.3')


def windowed(
    net: Weights, x: Tensor, name: str, side: int, heads: int, _: int
) -> Tensor:
    """IWSA: window by window, and the values convolved over the map."""
    q, k, v = (
        to_map(part, side)
        for part in net.linear(x, f'{name}.qkv').chunk(3, -1)
    )
    out = torch.empty_like(v)
    for top in range(0, side, 7):
        for left in range(0, side, 7):
            at = (..., slice(top, top + 7), slice(left, left + 7))
            attended = attend(
                *(to_tokens(part[at]) for part in (q, k, v)), heads
            )
            out[at] = to_map(attended, 7)
    out = out + net.conv(v, f'{name}.lim_func', 1, 1)
    return net.linear(to_tokens(out), f'{name}.proj')


def scalable(
    net: Weights, x: Tensor, name: str, side: int, heads: int, reduction: int
) -> Tensor:
    """SSA: keys and values from a reduced map."""
    if reduction == 1:
        k, v = net.linear(x, f'{name}.kv').chunk(2, -1)
    else:
        source = net.conv(to_map(x, side), f'{name}.reduction.0', reduction, 0)
        source = to_tokens(net.conv(source, f'{name}.reduction.1', 1, 0))
        source = gelu(net.norm(source, f'{name}.norm_act.0', 1e-5))
        k = net.linear(source, f'{name}.k')
        v = net.linear(source, f'{name}.v')
    out = attend(net.linear(x, f'{name}.q'), k, v, heads)
    return net.linear(out, f'{name}.proj')


def classifier(arch: str) -> nn.Module:
    return build_model(load_config(CONFIG.format(arch[0]))).eval()


def test_published_weights_give_the_published_function():
    weights = random_weights(scalablevit_shapes('small'))
    converted = convert_published(weights, 'scalablevit')
    model = classifier('small')
    model.load_state_dict(converted, strict=True)
    image = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        ours = model(image, mode='tensor')
        theirs = published_function(weights, image)
    assert theirs.std() > 0.1
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('arch', list(SCALABLEVIT))
def test_every_published_key_has_its_place(arch):
    shapes = scalablevit_shapes(arch)
    with torch.device('meta'):
        weights = {name: torch.empty(shape) for name, shape in shapes.items()}
        model = classifier(arch)
    converted = convert_published(weights, 'scalablevit')
    own = {name: value.shape for name, value in model.state_dict().items()}
    assert {name: value.shape for name, value in converted.items()} == own
