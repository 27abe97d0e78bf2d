import math

import pytest
import torch
import torch.nn.functional as F
from torch.overrides import BaseTorchFunctionMode

from mmvit.models.layers import (
    Mlp,
    PatchEmbed,
    PositionTable,
    attention,
    merge_heads,
    split_heads,
)


def test_heads_are_split_and_merged():
    x = torch.rand(2, 3, 5, 12)
    heads = split_heads(x, 4)
    assert heads.shape == (2, 4, 15, 3)
    # token (1, 2) is number 7; head 1 has channels 3 to 5
    torch.testing.assert_close(heads[0, 1, 7], x[0, 1, 2, 3:6])
    torch.testing.assert_close(merge_heads(heads, (3, 5)), x)


def test_attention_is_softmax_of_scaled_products():
    q, k, v = (torch.rand(2, 3, n, 4) for n in (5, 7, 7))
    bias = torch.rand(3, 5, 7)
    logits = q @ k.transpose(-1, -2) / math.sqrt(4)
    torch.testing.assert_close(
        attention(q, k, v, bias), (logits + bias).softmax(-1) @ v
    )
    torch.testing.assert_close(
        attention(q, k, v, scale=2.0),
        (q @ k.transpose(-1, -2) * 2).softmax(-1) @ v,
    )


def _attention_step(drop_rate=0.0, scale=None):
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, 3, 5, 4, generator=generator) for _ in range(3))
    bias = torch.randn(1, 3, 5, 5, generator=generator)
    leaves = [x.requires_grad_() for x in (q, k, v, bias)]
    out = attention(*leaves, drop_rate, scale)
    (out**2).sum().backward()
    return out, *(x.grad for x in leaves)


@pytest.mark.parametrize('scale', [None, 0.3])
def test_attention_whose_bias_learns(monkeypatch, scale):
    calls = []
    fused = F.scaled_dot_product_attention
    monkeypatch.setattr(
        F,
        'scaled_dot_product_attention',
        lambda *args, **kwargs: calls.append(1) or fused(*args, **kwargs),
    )
    with BaseTorchFunctionMode():
        expected = _attention_step(scale=scale)
    assert calls == [1]
    torch.testing.assert_close(_attention_step(scale=scale), expected)
    assert calls == [1]


def test_dropout_of_attention_whose_bias_learns():
    torch.manual_seed(0)
    kept = _attention_step()[0]
    dropped = torch.stack([_attention_step(0.4)[0] for _ in range(2000)])
    assert not torch.equal(dropped[0], kept)
    torch.testing.assert_close(dropped.mean(0), kept, rtol=0.1, atol=0.1)


def test_masked_key_has_no_influence():
    q, k, v = (torch.rand(1, 1, n, 4) for n in (5, 7, 7))
    bias = torch.zeros(5, 7)
    bias[:, 3] = -1e4
    out = attention(q, k, v, bias)
    k[:, :, 3], v[:, :, 3] = 50.0, -50.0
    torch.testing.assert_close(attention(q, k, v, bias), out)


def test_mlp_matches_its_definition():
    mlp = Mlp(6, 2.5).eval()
    x = torch.rand(2, 3, 4, 6)
    assert mlp.fc1.out_features == 15
    hidden = F.gelu(x @ mlp.fc1.weight.T + mlp.fc1.bias)
    torch.testing.assert_close(
        mlp(x), hidden @ mlp.fc2.weight.T + mlp.fc2.bias
    )


@pytest.mark.parametrize(
    ('stride', 'kernel_size', 'padding'),
    [(4, None, 0), (4, 7, 3), (2, 3, 1), (4, 7, 2), (8, None, 0)],
)
@pytest.mark.parametrize('size', [(32, 64), (33, 65), (13, 30)])
def test_patch_embed(size, stride, kernel_size, padding):
    embed = PatchEmbed(3, 5, stride, kernel_size, padding)
    x = torch.rand(2, *size, 3)
    out = embed(x)
    height, width = (math.ceil(side / stride) for side in size)
    assert out.shape == (2, height, width, 5)
    # The zeros that are added are those that a larger image could have had.
    padded = F.pad(x, (0, 0, 0, 2 * stride, 0, 2 * stride))
    torch.testing.assert_close(
        embed(padded)[:, :height, :width], out, rtol=1e-4, atol=1e-5
    )


def test_patch_embed_sees_the_last_pixels():
    embed = PatchEmbed(3, 5, 4)
    x = torch.rand(1, 9, 9, 3)
    changed = x.clone()
    changed[:, 8, 8] += 1
    difference = (embed(x) - embed(changed)).abs().sum(-1)[0]
    assert difference[2, 2] > 0
    assert difference[:2].sum() == difference[:, :2].sum() == 0


def test_position_table_is_resized_from_its_own_grid():
    table = PositionTable((2, 2), 1)
    with torch.no_grad():
        table.table.copy_(
            torch.tensor([[0.0, 1.0], [2.0, 3.0]]).view(1, 2, 2, 1)
        )
    assert torch.equal(table(torch.zeros(1, 2, 2, 1)), table.table)
    # Centres of 4 columns fall at -0.25, 0.25, 0.75, 1.25 of the table's:
    # bilinear, clamped at the border.
    row = torch.tensor([0.0, 0.25, 0.75, 1.0])
    out = table(torch.zeros(3, 2, 4, 1))
    assert out.shape == (3, 2, 4, 1)
    torch.testing.assert_close(out[1, 0, :, 0], row)
    torch.testing.assert_close(out[1, 1, :, 0], row + 2)


def test_position_table_of_another_grid_is_loaded():
    source, target = PositionTable((7, 7), 3), PositionTable((10, 12), 3)
    target.load_state_dict(source.state_dict())
    x = torch.zeros(1, 10, 12, 3)
    torch.testing.assert_close(target(x), source(x))
    with pytest.raises(RuntimeError, match='size mismatch'):
        PositionTable((7, 7), 4).load_state_dict(source.state_dict())
