"""Focal Transformer with published weights: the published function."""

import pytest
import torch
from torch import Tensor, nn

from mmvit.apis.config import build_model, load_config
from mmvit.checkpoints import convert_published
from mmvit.checkpoints.published.focal import fold_ring_bias

from .naive import Weights, gelu, to_tokens
from .published import FOCAL, FOCAL_REGIONS, focal_shapes, random_weights

CONFIG = 'configs/focal/focal-{}_8xb128-300e_in1k.py'


def published_function(
    weights: dict[str, Tensor], image: Tensor, conv: bool
) -> Tensor:
    """Logits of Focal-T at 224x224: four shifted windows, rolled borders."""
    net, settings = Weights(weights), FOCAL['tiny']
    stride, pad = (4, 2) if conv else (4, 0)
    x = net.conv(image, 'patch_embed.proj', stride, pad)
    name = 'patch_embed'
    for stage in range(4):
        side, heads = x.shape[-1], settings['heads'] * 2**stage
        tokens = net.norm(to_tokens(x), f'{name}.norm', 1e-5)
        tokens = tokens.unflatten(1, (side, side))
        for index in range(settings['depths'][stage]):
            block = f'layers.{stage}.blocks.{index}'
            normed = net.norm(tokens, f'{block}.norm1', 1e-5)
            tokens = tokens + focal_attention(
                net, normed, block, heads, FOCAL_REGIONS[stage]
            )
            hidden = net.norm(tokens, f'{block}.norm2', 1e-5)
            hidden = gelu(net.linear(hidden, f'{block}.mlp.fc1'))
            tokens = tokens + net.linear(hidden, f'{block}.mlp.fc2')
        name = f'layers.{stage}.downsample'
        if stage < 3:
            x = tokens.permute(0, 3, 1, 2)
            x = net.conv(x, f'{name}.proj', 2, 1 if conv else 0)
    pooled = net.norm(tokens.flatten(1, 2), 'norm', 1e-5).mean(1)
    return net.linear(pooled, 'head')


def focal_attention(
    net: Weights, x: Tensor, block: str, heads: int, region: int
) -> Tensor:
    """Window by window, with the 132 keys of four rolled maps around it."""
    side, attn = x.shape[1], f'{block}.attn'
    count = side // 7
    width = x.shape[-1] // heads
    q, k, v = net.linear(x, f'{attn}.qkv').chunk(3, -1)
    pooled = torch.stack(
        [
            x[:, top : top + 7, left : left + 7]
            .flatten(1, 2)
            .mul(net[f'{block}.pool_layers.0.weight'].T)
            .sum(1)
            for top in range(0, side, 7)
            for left in range(0, side, 7)
        ],
        1,
    )
    pooled = pooled + net[f'{block}.pool_layers.0.bias']
    _, far_k, far_v = net.linear(pooled, f'{attn}.qkv').chunk(3, -1)
    table = net[f'{attn}.relative_position_bias_table']
    fine = relative(table.T, 7)
    coarse = relative(
        net[f'{attn}.relative_position_bias_table_to_windows.0'], region
    )
    around = None
    if side > 7:
        around = net[f'{attn}.relative_position_bias_table_to_neighbors'][0]
    out = torch.empty_like(x)
    for row in range(count):
        for column in range(count):
            at = (
                slice(None),
                slice(7 * row, 7 * row + 7),
                slice(7 * column, 7 * column + 7),
            )
            keys, values, biases = [k[at]], [v[at]], [fine]
            if around is not None:
                # What a rolled map has in the window's place.
                for down, right in ((3, 3), (3, -3), (-3, 3), (-3, -3)):
                    kept = torch.tensor(
                        [
                            not (0 <= i + down < 7 and 0 <= j + right < 7)
                            for i in range(7)
                            for j in range(7)
                        ]
                    )
                    for source, parts in ((k, keys), (v, values)):
                        rolled = source.roll((-down, -right), (1, 2))[at]
                        parts.append(rolled.flatten(1, 2)[:, kept])
                biases.append(around)
            for i in range(region):
                for j in range(region):
                    r, c = row + i - region // 2, column + j - region // 2
                    real = 0 <= r < count and 0 <= c < count
                    number = r * count + c if real else 0
                    keys.append(far_k[:, number, None] * real)
                    values.append(far_v[:, number, None] * real)
                    bias = coarse[..., i * region + j, None]
                    biases.append(bias if real else bias - 100)
            keys[0], values[0] = keys[0].flatten(1, 2), values[0].flatten(1, 2)
            keys, values = torch.cat(keys, 1), torch.cat(values, 1)
            biases = torch.cat(biases, -1)
            for head in range(heads):
                part = (..., slice(head * width, (head + 1) * width))
                logits = q[at][part].flatten(1, 2) @ keys[part].mT
                logits = logits / width**0.5 + biases[head]
                attended = logits.softmax(-1) @ values[part]
                out[at][part] = attended.unflatten(1, (7, 7))
    return net.linear(out, f'{attn}.proj')


def relative(table: Tensor, region: int) -> Tensor:
    """(h, (6 + region)^2) -> (h, 49, region^2), entry by entry."""
    side = 6 + region
    columns = [
        torch.stack(
            [
                table[:, (i - r + region - 1) * side + (j - c + region - 1)]
                for i in range(7)
                for j in range(7)
            ],
            -1,
        )
        for r in range(region)
        for c in range(region)
    ]
    return torch.stack(columns, -1)


def classifier(name: str) -> nn.Module:
    return build_model(load_config(CONFIG.format(name))).eval()


@pytest.mark.parametrize('conv', [False, True])
def test_published_weights_give_the_published_function(conv):
    weights = random_weights(focal_shapes('tiny', conv))
    generator = torch.Generator().manual_seed(1)
    for name, value in weights.items():
        if 'bias_table' in name:
            # So large that every entry matters.
            weights[name] = torch.randn(value.shape, generator=generator)
    converted = convert_published(weights, 'focal')
    model = classifier('t-conv' if conv else 't')
    model.load_state_dict(converted, strict=True)
    image = torch.rand(1, 3, 224, 224, generator=generator)
    with torch.no_grad():
        ours = model(image, mode='tensor')
        theirs = published_function(weights, image, conv)
    assert theirs.std() > 0.1
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ('name', 'arch', 'conv'),
    [
        ('t', 'tiny', False),
        ('s', 'small', False),
        ('b', 'base', False),
        ('t-conv', 'tiny', True),
        ('s-conv', 'small', True),
        ('b-conv', 'base', True),
    ],
)
def test_every_published_key_has_its_place(name, arch, conv):
    shapes = focal_shapes(arch, conv)
    with torch.device('meta'):
        weights = {name: torch.empty(shape) for name, shape in shapes.items()}
        model = classifier(name)
    converted = convert_published(weights, 'focal')
    own = {name: value.shape for name, value in model.state_dict().items()}
    assert {name: value.shape for name, value in converted.items()} == own


def test_doubled_keys_weigh_as_much_as_both():
    """A window of 4 tokens moved by 1: the middle two of each side."""
    bias = torch.rand(1, 1, 16, 4 * (16 - 9))
    folded = fold_ring_bias(bias)
    assert folded.shape == (1, 16, 36 - 16)
    torch.testing.assert_close(folded.exp().sum(-1), bias.exp()[0].sum(-1))
    # The top left corner is the first token of the last window.
    torch.testing.assert_close(folded[..., 0], bias[0, ..., 21])
    # The third token of the top row is the third of that window and the
    # first of the one before it that starts 2 tokens further right.
    both = torch.logaddexp(bias[0, ..., 14], bias[0, ..., 23])
    torch.testing.assert_close(folded[..., 2], both)


def test_unknown_keys_are_reported():
    weights = {'layers.0.blocks.0.gamma_1': torch.zeros(1)}
    with pytest.raises(ValueError, match='1 of its 1 keys .*gamma_1'):
        convert_published(weights, 'focal')
