"""HLG's layer against its definition."""

import copy
import itertools

import pytest
import torch
import torch.nn.functional as F

from mmvit.models.layers import (
    ConvNorm,
    DynamicPositionBias,
    FullAttention,
    LocalGlobalAttention,
    LocalGlobalLayer,
    WindowGrid,
    local_global,
)
from mmvit.models.layers.local_global import DWMlp, WindowEmbedding
from mmvit.models.layers.position import Offsets, token_offsets

SIZES = [(6, 6), (5, 8), (2, 7)]


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


def place_bias(
    bias: DynamicPositionBias, row: float, column: float
) -> torch.Tensor:
    """One answer of the network, layer by layer: (h,)."""
    out = torch.tensor([[float(row), float(column)]])
    for layer in bias.layers:
        out = layer(out)
    return out[0]


@pytest.mark.parametrize('steps', [(1, 1), (2, 2), (2, 3)])
@pytest.mark.parametrize('size', [*SIZES, (4, 19)])
def test_every_token_is_in_one_window(size, steps):
    grid = WindowGrid(size, 3, steps)
    numbers = torch.arange(1, size[0] * size[1] + 1).view(1, *size, 1)
    cut = grid.cut(numbers.float())
    windows = windows_of(size, 3, [min(*p) for p in zip(steps, size)])
    for got, tokens in zip(cut.flatten(1), windows, strict=True):
        assert [n for n in got.tolist() if n] == [
            numbers[0, i, j, 0].item() for i, j in tokens
        ]
    x = torch.rand(2, *size, 4)
    assert torch.equal(grid.join(grid.cut(x)), x)
    means = grid.mean(x)
    for index, tokens in enumerate(windows):
        if tokens:
            mean = sum(x[:, i, j] for i, j in tokens) / len(tokens)
            torch.testing.assert_close(means[:, index], mean)
    empty = torch.tensor([not tokens for tokens in windows])
    bias = grid.window_bias(x)
    assert empty.any() == (bias is not None)
    if bias is not None:
        assert torch.equal(bias < 0, empty)


def test_dilation_follows_the_map():
    grid = WindowGrid((56, 28), 7, None)
    assert (grid.rows.dilation, grid.columns.dilation) == (8, 4)
    assert not grid.is_padded
    assert grid.cut(torch.rand(1, 56, 28, 1)).shape[0] == 32
    # Never more windows side by side than the map has tokens.
    assert WindowGrid((3, 60), 7, (8, 8)).rows.dilation == 3


def test_bias_of_a_map_by_hand():
    """2x3 queries, one window of 2x2 tokens and one of 2x1 beside it."""
    bias = randomize(DynamicPositionBias(32, 2))
    grid = WindowGrid((2, 3), 2)
    with torch.no_grad():
        got = bias(*grid.centre_offsets)
        # Centres lie at (0.5, 0.5) and, of what is on the map, (0.5, 2).
        assert got.shape == (2, 6, 2)
        for query, (i, j) in enumerate(itertools.product(range(2), range(3))):
            for key, (y, x) in enumerate([(0.5, 0.5), (0.5, 2.0)]):
                torch.testing.assert_close(
                    got[:, query, key], place_bias(bias, i - y, j - x)
                )
        tokens = bias(token_offsets(2), token_offsets(3))
        # from token (1, 2), number 5, to token (0, 1), number 1
        torch.testing.assert_close(tokens[:, 5, 1], place_bias(bias, 1, 1))
        torch.testing.assert_close(tokens[:, 1, 5], place_bias(bias, -1, -1))


def test_bias_kept_in_evaluation_is_dropped_when_weights_change():
    bias = randomize(DynamicPositionBias(32, 2))
    at = token_offsets(3), token_offsets(4)
    with torch.no_grad():
        before = bias(*at)
        assert torch.equal(bias(*at), before)
        bias(token_offsets(5), token_offsets(4))
        assert torch.equal(bias(*at), before)
        bias.load_state_dict({k: v * 2 for k, v in bias.state_dict().items()})
        assert not torch.allclose(bias(*at), before)
        doubled = bias(*at)
        bias.layers[-1].weight.data.mul_(3)  # as the swap of an EMA does
        assert not torch.allclose(bias.eval()(*at), doubled)
    assert bias(*at).requires_grad


def test_bias_needs_channels():
    with pytest.raises(ValueError, match='at least 16'):
        DynamicPositionBias(8, 2)


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
                    [place_bias(attn.local_bias, *at) for at in offsets]
                ),
                attn.num_heads,
            )
    x = x + local
    windows = [tokens for tokens in windows if tokens]
    embedded = []
    for tokens in windows:
        values = torch.stack([x[at] for at in tokens])
        kind = attn.embedding.kind
        embedded.append(values.mean(0) if kind == 'avg' else values.amax(0))
    embedded = attn.norm3(torch.stack(embedded))
    k, v = attn.k(embedded), attn.v(embedded)
    centres = [torch.tensor(t).float().mean(0) for t in windows]
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
            place_bias(attn.global_bias, i - y.item(), j - z.item())
            for y, z in centres
        ]
        out[i, j] = naive_attend(
            q[i, j], k, v, torch.stack(bias), attn.num_heads
        )
    return x + attn.proj(out)


@pytest.mark.parametrize('kind', ['avg', 'max'])
@pytest.mark.parametrize('dilation', [None, 2])
@pytest.mark.parametrize('windows', ['plain', 'dilated'])
@pytest.mark.parametrize('size', SIZES)
def test_attention_against_a_loop(size, windows, dilation, kind):
    attn = randomize(
        LocalGlobalAttention(
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


@pytest.mark.parametrize('entries', [1, 100])
def test_large_maps_are_attended_to_in_strips(monkeypatch, entries):
    attn = randomize(LocalGlobalAttention(32, 2, 3, 'dilated', 2))
    x = torch.randn(2, 8, 7, 32)
    with torch.no_grad():
        whole = attn(x)
        monkeypatch.setattr(local_global, 'BIAS_ENTRIES', entries)
        torch.testing.assert_close(attn(x), whole)


def test_without_local_attention():
    attn = randomize(LocalGlobalAttention(32, 2, 3, windows=None))
    names = {name.partition('.')[0] for name, _ in attn.named_parameters()}
    assert not names & {'local_bias', 'norm2', 'query_conv'}
    x = torch.randn(1, 4, 5, 32)
    with torch.no_grad():
        smoothed = attn.bottleneck(x)
        grid = attn.build_grid((4, 5))
        tokens = attn.norm3(grid.mean(smoothed))
        q = attn.q(attn.norm1(smoothed)).flatten(1, 2)
        bias = attn.global_bias(*grid.centre_offsets)
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
    x = torch.rand(1, 7, 7, 32)
    grid = attn.build_grid((7, 7))
    assert attn._attend_locally(attn.q(x), attn.v(x), grid).shape == x.shape


@pytest.mark.parametrize('kind', ['avg', 'max', 'dwconv'])
def test_padding_of_windows_holds_nothing(kind):
    """A window that sticks out is embedded as its tokens on the map are."""
    embedding = randomize(WindowEmbedding(4, 3, kind))
    x = torch.randn(1, 5, 4, 4)
    tokens = embedding(x, WindowGrid((5, 4), 3)).view(1, 2, 2, 4)
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
                            place_bias(attn.global_bias, i - y, j - z)
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


@pytest.mark.parametrize('stride', [1, 2])
def test_layer(stride):
    layer = randomize(
        LocalGlobalLayer(16, 32, torch.nn.Identity(), stride)
        if stride > 1
        else LocalGlobalLayer(32, 32, torch.nn.Identity())
    )
    x = torch.randn(2, 5, 7, layer.mlp.fc1.conv.in_channels)
    out = layer(x)
    size = (3, 4) if stride == 2 else (5, 7)
    assert out.shape == (2, *size, 32)
    torch.testing.assert_close(
        out, layer.shortcut(x) + layer.norm(layer.mlp(x))
    )
    assert layer.mlp.fc1.conv.out_channels == 4 * x.shape[-1]


# Hidden maps of 5x7 tokens have 8 * 4 channels: 1,120 entries an image.
@pytest.mark.parametrize(('entries', 'images'), [(1, 1), (2500, 2)])
def test_large_hidden_maps_are_made_in_parts(monkeypatch, entries, images):
    mlp = randomize(DWMlp(8, 16, 2))
    x = torch.randn(3, 5, 7, 8)
    seen = []
    mlp.mixing.register_forward_hook(lambda _, args, __: seen.append(args[0]))
    with torch.no_grad():
        whole = mlp(x)
        assert len(seen) == 1
        monkeypatch.setattr(local_global, 'HIDDEN_ENTRIES', entries)
        torch.testing.assert_close(mlp(x), whole)
    assert max(map(len, seen[1:])) == images
    # The batch's statistics are those of all images, also where only the
    # norms are in training.
    mlp.fc1.norm.train()
    mlp.mixing.norm.train()
    mlp(x)
    assert len(seen[-1]) == 3


def _step_of(mlp, x):
    """Output, gradients and running statistics after a training step."""
    mlp = copy.deepcopy(mlp).train()
    x = x.clone().requires_grad_()
    out = mlp(x)
    (out * torch.arange(out.numel()).view_as(out).cos()).sum().backward()
    grads = {name: param.grad for name, param in mlp.named_parameters()}
    return out, x.grad, grads, dict(mlp.named_buffers())


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('offset', [0.0, 30.0])
def test_wide_hidden_maps_need_not_be_whole_in_training(
    monkeypatch, stride, offset
):
    mlp = randomize(DWMlp(8, 16, stride)).double()
    x = torch.randn(5, 6, 7, 8, dtype=torch.double) + offset
    sizes = []
    mlp.mixing.conv.register_forward_hook(
        lambda _, args, __: sizes.append(len(args[0]))
    )
    whole = _step_of(mlp, x)
    monkeypatch.setattr(local_global, 'KEPT_ENTRIES', 5 * 6 * 7 * 32 - 1)
    monkeypatch.setattr(local_global, 'HIDDEN_ENTRIES', 2 * 6 * 7 * 32)
    torch.testing.assert_close(_step_of(mlp, x), whole)
    assert sizes == [5, 2, 2, 1]


@pytest.mark.parametrize('case', ['synchronised', 'autocast', 'frozen'])
def test_other_norms_see_whole_hidden_maps(monkeypatch, case):
    """Statistics of the input are not enough, or too coarse, or unused."""
    monkeypatch.setattr(local_global, 'KEPT_ENTRIES', 0)
    mlp = DWMlp(8, 16).train()
    if case == 'synchronised':
        mlp = torch.nn.SyncBatchNorm.convert_sync_batchnorm(mlp)
    elif case == 'frozen':
        mlp.fc1.norm.eval()
    x = torch.randn(2, 4, 4, 8)
    with torch.autocast('cpu', torch.bfloat16, enabled=case == 'autocast'):
        assert not mlp.fc1.has_batch_statistics(x)
        if case != 'synchronised':  # needs GPUs
            mlp(x).sum().backward()
    assert DWMlp(8, 16).fc1.has_batch_statistics(x)


@pytest.mark.parametrize(
    ('kernel', 'stride', 'groups'), [(1, 1, 1), (3, 2, 4), (3, 1, 1)]
)
def test_conv_norm_is_the_same_function_in_evaluation(kernel, stride, groups):
    layer = randomize(ConvNorm(4, 8, kernel, stride, groups))
    layer.norm.running_mean.normal_()
    layer.norm.running_var.uniform_(0.5, 2)
    x = torch.rand(2, 5, 6, 4)
    conv = F.conv2d(
        x.permute(0, 3, 1, 2),
        layer.conv.weight,
        stride=stride,
        padding=kernel // 2,
        groups=groups,
    )
    torch.testing.assert_close(
        layer(x), layer.norm(conv).permute(0, 2, 3, 1), rtol=1e-4, atol=1e-5
    )
    layer.train()
    torch.testing.assert_close(
        layer(x), layer.norm(conv).permute(0, 2, 3, 1), rtol=1e-4, atol=1e-5
    )


def test_errors():
    with pytest.raises(ValueError, match="'plain', 'dilated' or None"):
        LocalGlobalAttention(32, 2, windows='shifted')
    with pytest.raises(ValueError, match='avg, max, dwconv'):
        LocalGlobalAttention(32, 2, window_embedding='sum')


def test_offsets_hold_each_distance_once():
    offsets = Offsets.between(torch.arange(3), torch.tensor([0.5, 2.5]))
    assert offsets.values.tolist() == [-2.5, -1.5, -0.5, 0.5, 1.5]
    assert offsets.values[offsets.index].tolist() == [
        [-0.5, -2.5],
        [0.5, -1.5],
        [1.5, -0.5],
    ]
