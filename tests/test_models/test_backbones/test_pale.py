"""Pale attention against loops over tokens, written from the definitions."""

from collections.abc import Callable
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from mmvit.models.backbones.pale import (
    ATTENTIONS,
    PaleAttention,
    PaleTransformer,
    SequentialPaleAttention,
    VanillaPaleAttention,
)

ARCH = dict(
    embed_dims=(8, 16, 24, 32),
    depths=(2, 2, 2, 2),
    num_heads=(1, 2, 3, 4),
    mlp_ratios=(2, 2, 2, 2),
    pale_sizes=(7, 7, 7, 7),
)
SIZES = [(6, 6), (5, 7), (2, 4), (7, 1)]


def attend(qkv: list[Tensor], query: tuple, keys: list, heads: int) -> Tensor:
    """One token's output from the tokens of a list, head by head."""
    q, k, v = qkv
    out = []
    for hq, hk, hv in zip(
        q[query].chunk(heads),
        torch.stack([k[key] for key in keys]).chunk(heads, dim=1),
        torch.stack([v[key] for key in keys]).chunk(heads, dim=1),
    ):
        weights = (hk @ hq / len(hq) ** 0.5).softmax(0)
        out.append(weights @ hv)
    return torch.cat(out)


def same_group(length: int, size: int, interlaced: bool) -> Callable:
    """Whether two rows (or columns) are in one group."""
    number = -(-length // size)
    if interlaced:
        return lambda a, b: a % number == b % number
    return lambda a, b: a // size == b // size


def separable_conv(layer: nn.Module, index: int, x: Tensor) -> Tensor:
    """One of q, k and v in evaluation; x is (H, W, C)."""
    at = slice(index * x.shape[-1], (index + 1) * x.shape[-1])
    conv, norm, linear = layer.depthwise, layer.norm, layer.pointwise
    out = nn.functional.conv2d(
        x.permute(2, 0, 1)[None],
        conv.weight[at],
        conv.bias[at],
        padding=1,
        groups=x.shape[-1],
    )
    out = (out[0].permute(1, 2, 0) - norm.running_mean[at]) / (
        norm.running_var[at] + norm.eps
    ).sqrt()
    out = out * norm.weight[at] + norm.bias[at]
    return out @ linear.weight[at].T + linear.bias[at]


def loop_over_tokens(attn: PaleAttention, x: Tensor) -> Tensor:
    """Each attention from its definition; x is (H, W, C)."""
    (H, W, C), heads = x.shape, attn.num_heads
    size = attn.pale_size
    in_row_group = same_group(H, size, attn.interlaced)
    in_column_group = same_group(W, size, attn.interlaced)
    qkv = [separable_conv(attn.qkv, index, x) for index in range(3)]
    rows = [part[..., : C // 2] for part in qkv]
    columns = [part[..., C // 2 :] for part in qkv]
    tokens = list(product(range(H), range(W)))
    out = torch.zeros_like(x)
    for y, c in tokens:
        in_rows = [t for t in tokens if in_row_group(t[0], y)]
        in_columns = [t for t in tokens if in_column_group(t[1], c)]
        if isinstance(attn, VanillaPaleAttention):
            # N = h / s_r = w / s_c, by padding
            number = -(-max(H, W) // size)
            pales = [
                [t for t in tokens if pale in (t[0] % number, t[1] % number)]
                for pale in (y % number, c % number)
            ]
            both = [attend(qkv, (y, c), keys, 2 * heads) for keys in pales]
            out[y, c] = sum(both) / 2
        elif isinstance(attn, SequentialPaleAttention):
            keys = in_columns if attn.in_columns else in_rows
            out[y, c] = attend(qkv, (y, c), keys, heads)
        else:
            halves = [(rows, in_rows), (columns, in_columns)]
            out[y, c] = torch.cat(
                [attend(half, (y, c), keys, heads) for half, keys in halves]
            )
    return attn.proj(out)


KINDS = {
    'axial': (PaleAttention, dict(pale_size=1)),
    'cross-shaped': (PaleAttention, dict(interlaced=False)),
    'vanilla': (VanillaPaleAttention, {}),
    'rows': (SequentialPaleAttention, dict(in_columns=False)),
    'columns': (SequentialPaleAttention, dict(in_columns=True)),
    'parallel': (PaleAttention, {}),
}


def pale_attention(kind: str) -> PaleAttention:
    torch.manual_seed(0)
    cls, options = KINDS[kind]
    attn = cls(8, 2, **{'pale_size': 3, **options}).eval()
    for param in attn.parameters():
        nn.init.normal_(param, std=0.5)
    return attn


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('kind', KINDS)
@torch.no_grad()
def test_attention_against_a_loop(kind, size):
    attn = pale_attention(kind)
    x = torch.randn(2, *size, 8)
    naive = torch.stack([loop_over_tokens(attn, image) for image in x])
    torch.testing.assert_close(attn(x), naive, rtol=1e-4, atol=1e-5)


def test_weights_of_earlier_versions_are_stacked(tmp_path):
    """q, k and v were three modules."""
    model = PaleTransformer(ARCH)
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.rand(value.shape))
        elif 'num_batches' in name:
            value.fill_(5)
    old = {}
    for name, value in model.state_dict().items():
        before, found, after = name.partition('.qkv.')
        parts = value.chunk(3) if value.dim() else [value] * 3
        for letter, part in zip('qkv', parts if found else ()):
            old[f'{before}.{letter}.{after}'] = part
        if not found:
            old[name] = value
    assert len(old) > len(model.state_dict())
    target = PaleTransformer(ARCH)
    target.load_state_dict(old, strict=True)
    torch.save(dict(state_dict=old), tmp_path / 'old.pth')
    given = dict(type='Pretrained', checkpoint=str(tmp_path / 'old.pth'))
    loaded = PaleTransformer(ARCH, init_cfg=given)
    loaded.init_weights()
    for name, value in model.state_dict().items():
        assert torch.equal(target.state_dict()[name], value), name
        assert torch.equal(loaded.state_dict()[name], value), name


def test_rows_and_columns_alternate():
    model = PaleTransformer(ARCH, attn_mode='pale-sequential')
    for stage in model.stages:
        turns = [block.attn.in_columns for block in stage.blocks]
        assert turns == [False, True]


def sized(*sizes: int) -> PaleTransformer:
    return PaleTransformer(ARCH, overrides=dict(pale_sizes=sizes))


def test_axial_is_a_pale_of_one_row_and_one_column():
    """Table 5's first row has the figures of Table 6's."""
    torch.manual_seed(0)
    axial = PaleTransformer(ARCH, attn_mode='axial').eval()
    ones = sized(1, 1, 1, 1).eval()
    ones.load_state_dict(axial.state_dict())
    image = torch.rand(1, 3, 65, 97)
    with torch.no_grad():
        torch.testing.assert_close(axial(image), ones(image))


@pytest.mark.parametrize(
    'options',
    [
        *(dict(attn_mode=mode) for mode in list(ATTENTIONS)[:-1]),
        dict(overrides=dict(pale_sizes=(3, 3, 3, 3))),
        dict(overrides=dict(pale_sizes=(7, 7, 7, 1))),
    ],
    ids=str,
)
def test_options_change_the_function(options):
    image = torch.rand(1, 3, 129, 193)
    outs = []
    for kwargs in ({}, options):
        torch.manual_seed(0)
        model = PaleTransformer(ARCH, **kwargs).eval()
        with torch.no_grad():
            outs.append(model(image)[-1])
    assert outs[0].shape == outs[1].shape
    assert not torch.allclose(*outs, atol=1e-6)


@pytest.mark.parametrize('mode', ATTENTIONS)
def test_modes_have_the_same_parameters(mode):
    with torch.device('meta'):
        models = [PaleTransformer(ARCH, attn_mode=m) for m in (mode, 'axial')]
    assert models[0].state_dict().keys() == models[1].state_dict().keys()


def test_errors():
    with pytest.raises(ValueError, match='axial, cross-shaped'):
        PaleTransformer(ARCH, attn_mode='parallel')
    with pytest.raises(ValueError, match="'pale_sizes'"):
        sized(7, 7, 7)
    with pytest.raises(ValueError, match='pale_sizes.*above 0'):
        sized(7, 7, 7, 0)
    with pytest.raises(ValueError, match='half of embed_dims 8'):
        PaleTransformer({**ARCH, 'num_heads': (3, 2, 3, 4)})
