"""HLG's layer against its definition."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from mmvit.models.layers import (
    FullAttention,
    LocalGlobalAttention,
    LocalGlobalLayer,
    RasterBiasAttention,
    WindowGrid,
    local_global,
)
from mmvit.models.layers.local_global import WindowEmbedding
from mmvit.models.layers.position_bias import spread_bias

from .naive import offset_bias, randomize, windows_of

SIZES = [(6, 6), (5, 8), (2, 7)]


def naive_attend(q, k, v, bias, heads):
    """q (C,), k and v (Nk, C), bias (Nk, h) -> (C,)."""
    out = []
    for head, part in enumerate(q.chunk(heads)):
        at = slice(head * len(part), (head + 1) * len(part))
        logits = k[:, at] @ part / len(part) ** 0.5 + bias[:, head]
        out.append(logits.softmax(0) @ v[:, at])
    return torch.cat(out)


def naive_local_global(attn, x, steps):
    """Section 3.3 token by token; x (H, W, C) after the bottleneck."""
    size, side = x.shape[:2], attn.window_size
    steps = [min(*pair) for pair in zip(steps, size)]
    windows = windows_of(size, side, steps)
    normed = attn.norm1(x)
    q, v = attn.q(normed), attn.v(normed)
    local = torch.zeros_like(x)
    for tokens in windows:
        for i, j in tokens:
            offsets = [
                ((i - y) / steps[0], (j - z) / steps[1]) for y, z in tokens
            ]
            local[i, j] = naive_attend(
                q[i, j],
                torch.stack([q[at] for at in tokens]),  # Eq. 9: k is q
                torch.stack([v[at] for at in tokens]),
                torch.stack(
                    [offset_bias(attn.local_bias, *at) for at in offsets]
                ),
                attn.num_heads,
            )
    x = x + local
    numbers = [m for m, tokens in enumerate(windows) if tokens]
    windows = [windows[m] for m in numbers]
    embedded = []
    for tokens in windows:
        values = torch.stack([x[at] for at in tokens])
        is_max = attn.embedding.kind == 'max'
        embedded.append(values.amax(0) if is_max else values.mean(0))
    embedded = attn.norm3(torch.stack(embedded))
    k, v = attn.k(embedded), attn.v(embedded)
    centres = [torch.tensor(t).float().mean(0) for t in windows]
    if isinstance(attn, RasterBiasAttention):
        places = [divmod(m, size[1]) for m in numbers]
        centres = list(torch.tensor(places).float())
    # Eq. 9
    conv = F.conv2d(
        attn.norm2(local).permute(2, 0, 1)[None],
        attn.query_conv.weight,
        attn.query_conv.bias,
        padding=1,
        groups=x.shape[-1],
    )
    q = q + conv[0].permute(1, 2, 0)
    out = torch.zeros_like(x)
    for i, j in itertools.product(*map(range, size)):
        bias = [
            offset_bias(attn.global_bias, i - y.item(), j - z.item())
            for y, z in centres
        ]
        out[i, j] = naive_attend(
            q[i, j], k, v, torch.stack(bias), attn.num_heads
        )
    return x + attn.proj(out)


@pytest.mark.parametrize(
    ('kind', 'attention'),
    [
        ('avg', LocalGlobalAttention),
        ('max', LocalGlobalAttention),
        ('avg', RasterBiasAttention),
    ],
)
@pytest.mark.parametrize('dilation', [None, 2])
@pytest.mark.parametrize('windows', ['plain', 'dilated'])
@pytest.mark.parametrize('size', SIZES)
def test_attention_against_a_loop(size, windows, dilation, kind, attention):
    attn = randomize(
        attention(
            32,
            2,
            window_size=3,
            windows=windows,
            dilation=dilation,
            window_embedding=kind,
        )
    )
    steps = (1, 1)
    if windows == 'dilated':
        steps = [dilation or -(-length // 3) for length in size]
    x = torch.randn(2, *size, 32)
    with torch.no_grad():
        smoothed = attn.bottleneck(x)
        expected = [naive_local_global(attn, one, steps) for one in smoothed]
        torch.testing.assert_close(
            attn(x), torch.stack(expected), rtol=1e-4, atol=1e-4
        )


@pytest.mark.parametrize('elements', [1, 100])
@pytest.mark.parametrize('kind', [LocalGlobalAttention, RasterBiasAttention])
def test_large_maps_are_attended_to_in_strips(monkeypatch, elements, kind):
    attn = randomize(kind(32, 2, 3, 'dilated', 2))
    x = torch.randn(2, 8, 7, 32)
    with torch.no_grad():
        whole = attn(x)
        monkeypatch.setattr(local_global, 'MAX_BIAS_ELEMENTS', elements)
        torch.testing.assert_close(attn(x), whole)


def test_without_local_attention():
    attn = randomize(LocalGlobalAttention(32, 2, 3, windows=None))
    names = {name.partition('.')[0] for name, _ in attn.named_parameters()}
    assert not names & {'local_bias', 'norm2', 'query_conv'}
    x = torch.randn(1, 4, 5, 32)
    with torch.no_grad():
        smoothed = attn.bottleneck(x)
        grid = attn.build_grid((4, 5))
        tokens = attn.norm3(grid.mean(smoothed)).flatten(1, 2)
        q = attn.q(attn.norm1(smoothed)).flatten(1, 2)
        offsets = grid.offsets(x)
        table = attn.global_bias.table(offsets.coordinates)
        bias = spread_bias(table, offsets.rows, offsets.columns)
        bias = bias.transpose(2, 3).flatten(2)
        out = torch.stack(
            [
                naive_attend(
                    query,
                    attn.k(tokens)[0],
                    attn.v(tokens)[0],
                    bias[:, n].T,
                    2,
                )
                for n, query in enumerate(q[0])
            ]
        )
        expected = smoothed + attn.proj(out.view(1, 4, 5, 32))
        torch.testing.assert_close(attn(x), expected, rtol=1e-4, atol=1e-4)


def test_queries_keys_and_values_are_shared():
    """Eq. 8: one layer each, and the local attention has no k of its own."""
    attn = LocalGlobalAttention(32, 2)
    linear = [
        name
        for name, module in attn.named_modules()
        if isinstance(module, torch.nn.Linear) and '_bias' not in name
    ]
    assert linear == ['q', 'k', 'v', 'proj']
    attn.k = None
    qv = torch.rand(1, 7, 7, 64)
    grid = attn.build_grid((7, 7))
    assert attn._attend_locally(qv, grid).shape == (1, 7, 7, 32)


@pytest.mark.parametrize('kind', ['avg', 'max', 'dwconv'])
def test_padding_of_windows_holds_nothing(kind):
    """A window that sticks out is embedded as its tokens on the map are."""
    embedding = randomize(WindowEmbedding(kind, 4, 3))
    x = torch.randn(1, 5, 4, 4)
    tokens = embedding(x, WindowGrid((5, 4), 3))
    assert tokens.shape == (1, 2, 2, 4)
    corner = x[:, 3:, 3:].flatten(1, 2)
    if kind == 'dwconv':
        weight = embedding.conv.weight[:, 0, :2, :1].flatten(1)
        expected = (corner[0] * weight.T).sum(0) + embedding.conv.bias
    else:
        expected = corner.mean(1) if kind == 'avg' else corner.amax(1)
    torch.testing.assert_close(tokens[:, 1, 1].view(-1), expected.view(-1))


def test_full_attention_against_a_loop():
    attn = randomize(FullAttention(32, 2))
    x = torch.randn(1, 2, 3, 32)
    with torch.no_grad():
        places = list(itertools.product(range(2), range(3)))
        q, k, v = (
            layer(x)[0].flatten(0, 1) for layer in (attn.q, attn.k, attn.v)
        )
        out = torch.stack(
            [
                naive_attend(
                    q[n],
                    k,
                    v,
                    torch.stack(
                        [
                            offset_bias(attn.global_bias, i - y, j - z)
                            for y, z in places
                        ]
                    ),
                    2,
                )
                for n, (i, j) in enumerate(places)
            ]
        )
        expected = x + attn.norm(attn.proj(out)).view(1, 2, 3, 32)
        torch.testing.assert_close(attn(x), expected, rtol=1e-4, atol=1e-4)


class Untouched(torch.nn.Module):
    """In place of an attention."""

    def forward(self, x, factor):  # noqa: ARG002
        return x


@pytest.mark.parametrize('stride', [1, 2])
def test_layer(stride):
    in_channels = 16 if stride > 1 else 32
    layer = randomize(LocalGlobalLayer(in_channels, 32, Untouched(), stride))
    x = torch.randn(2, 5, 7, layer.mlp.fc1.conv.in_channels)
    out = layer(x)
    size = (3, 4) if stride == 2 else (5, 7)
    assert out.shape == (2, *size, 32)
    torch.testing.assert_close(
        out, layer.shortcut(x) + layer.norm(layer.mlp(x))
    )
    assert layer.mlp.fc1.conv.out_channels == 4 * x.shape[-1]


def test_errors():
    with pytest.raises(ValueError, match="'plain', 'dilated' or None"):
        LocalGlobalAttention(32, 2, windows='shifted')
    with pytest.raises(ValueError, match='avg, max or dwconv'):
        LocalGlobalAttention(32, 2, window_embedding='sum')
