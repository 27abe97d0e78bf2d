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


def loop_over_tokens(attn: PaleAttention, x: Tensor) -> Tensor:
    """Each attention from its definition; x is (H, W, C)."""
    (H, W, C), heads = x.shape, attn.num_heads
    size = attn.pale_size
    in_row_group = same_group(H, size, attn.interlaced)
    in_column_group = same_group(W, size, attn.interlaced)
    qkv = [phi(x[None])[0] for phi in (attn.q, attn.k, attn.v)]
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
            out[y, c] = attend(qkv, (y, c), keys, 2 * heads)
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


@pytest.mark.parametrize('kind', KINDS)
def test_padding_has_no_influence(kind, monkeypatch):
    attn = pale_attention(kind)
    x = torch.randn(1, 5, 8, 8)
    with torch.no_grad():
        expected = attn(x)

        def pad(x: Tensor, pad: tuple) -> Tensor:
            # The mask of padding is left as it is.
            value = 0.0 if x.shape[-1] == 1 else 3.0
            return original(x, pad, value=value)

        original = nn.functional.pad
        monkeypatch.setattr(nn.functional, 'pad', pad)
        torch.testing.assert_close(attn(x), expected)


def test_groups_are_padded_on_their_side_only(monkeypatch):
    padded = []
    original = nn.functional.pad

    def pad(x: Tensor, pad: tuple) -> Tensor:
        padded.append((tuple(x.shape), pad))
        return original(x, pad)

    monkeypatch.setattr(nn.functional, 'pad', pad)
    attn = pale_attention('parallel')
    with torch.no_grad():
        attn(torch.randn(1, 6, 9, 8))
        assert not padded, 'pales of 3 divide 6 rows and 9 columns'
        attn(torch.randn(1, 6, 8, 8))
    # The columns' maps alone, swapped: 8 columns become 9.
    assert {shape[1:3] for shape, _ in padded} == {(8, 6)}
    assert {widths for _, widths in padded} == {(0, 0, 0, 0, 0, 1)}


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
    with pytest.raises(ValueError, match='pale_size 0'):
        sized(7, 7, 7, 0)
    with pytest.raises(ValueError, match='half of embed_dims 8'):
        PaleTransformer({**ARCH, 'num_heads': (3, 2, 3, 4)})
