import math

import pytest
import torch

from mmvit.models.layers import (
    MASKED,
    Attention,
    FullAttention,
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
    torch.testing.assert_close(merge_heads(heads, (15,)), x.flatten(1, 2))


def test_attention_is_softmax_of_scaled_products():
    attn = Attention(12, num_heads=3)
    q, k, v = (torch.rand(2, 3, n, 4) for n in (5, 7, 7))
    logits = q @ k.transpose(-1, -2) / math.sqrt(4)
    torch.testing.assert_close(
        attn.attend_by_head(q, k, v), logits.softmax(-1) @ v
    )
    bias = torch.rand(3, 5, 7)
    torch.testing.assert_close(
        attn.attend_by_head(q, k, v, bias), (logits + bias).softmax(-1) @ v
    )


def test_tokens_of_any_axes_are_attended_to():
    """Queries of 2x3 tokens, 4 keys in a row, values of another width."""
    attn = Attention(4, num_heads=2)
    q, k, v = torch.rand(1, 2, 3, 4), torch.rand(1, 4, 4), torch.rand(1, 4, 6)
    out = attn.attend(q, k, v)
    assert out.shape == (1, 2, 3, 6)
    logits = q.flatten(1, 2)[..., :2] @ k[..., :2].mT / math.sqrt(2)
    torch.testing.assert_close(
        out[..., :3].flatten(1, 2), logits.softmax(-1) @ v[..., :3]
    )


def test_masked_key_has_no_influence():
    attn = Attention(4, num_heads=1)
    q, k, v = (torch.rand(1, 1, n, 4) for n in (5, 7, 7))
    bias = torch.zeros(5, 7)
    bias[:, 3] = MASKED
    out = attn.attend_by_head(q, k, v, bias)
    k[:, :, 3], v[:, :, 3] = 50.0, -50.0
    torch.testing.assert_close(attn.attend_by_head(q, k, v, bias), out)


@pytest.mark.parametrize('masked', [True, False])
def test_windows_share_a_bias(masked):
    attn = Attention(8, num_heads=2)
    # Two images of three windows
    q, k, v = (torch.rand(2, 3, 2, n, 4) for n in (5, 7, 7))
    bias, mask = torch.rand(2, 5, 7), torch.zeros(3, 1, 1, 7)
    if masked:
        mask[2, ..., 1] = MASKED
    out = attn.attend_by_window(
        *(part.flatten(1, 2) for part in (q, k, v)),
        bias,
        mask if masked else None,
    )
    expected = attn.attend_by_head(q, k, v, bias + mask)
    torch.testing.assert_close(out, expected.flatten(1, 2))


@pytest.mark.parametrize(
    'drops', [dict(attn_drop_rate=0.5), dict(drop_rate=0.5)], ids=str
)
def test_dropout_is_for_training_only(drops):
    attn = FullAttention(16, 2, **drops)
    x = torch.rand(1, 3, 4, 16)
    assert not torch.equal(attn(x), attn(x))
    attn.eval()
    assert torch.equal(attn(x), attn(x))


def test_heads_must_divide_the_channels():
    with pytest.raises(ValueError, match='num_heads 3 must divide .* 16'):
        FullAttention(16, 3)
