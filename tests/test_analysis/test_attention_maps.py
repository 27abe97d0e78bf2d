"""Weights that are recorded against weights written out."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmvit.analysis.attention_maps import attention_weights, record_attention
from mmvit.models.backbones.hlg import HLGTransformer
from mmvit.models.backbones.pvt import PVT

ARCH = dict(
    embed_dims=(8, 16, 24, 32),
    depths=(1, 1, 1, 2),
    num_heads=(1, 2, 3, 4),
    mlp_ratios=(2, 2, 2, 2),
    sr_ratios=(8, 4, 2, 1),
)


class Twice(nn.Module):
    """One module, two attentions."""

    def forward(self, q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
        out = F.scaled_dot_product_attention(q, k, k, attn_mask=mask)
        return out + F.scaled_dot_product_attention(
            q, k, k, scale=2.0, is_causal=True
        )


def test_weights_of_a_backbone():
    model = PVT(ARCH, img_size=64).eval()
    image = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        expected = model(image)
        with record_attention(model) as weights:
            outs = model(image)
    torch.testing.assert_close(outs, expected)
    assert list(weights) == [
        f'stages.{stage}.blocks.{index}.attn'
        for stage in range(4)
        for index in range(ARCH['depths'][stage])
    ]
    first = weights['stages.0.blocks.0.attn']
    assert first.shape == (2, 1, 16 * 24, 2 * 3)
    for value in weights.values():
        torch.testing.assert_close(value.sum(-1), torch.ones(value.shape[:-1]))
    model(image)
    assert len(weights) == 5, 'nothing is recorded afterwards'


def test_weights_where_biases_learn():
    """With gradients a CPU has no fused attention for them."""
    arch = dict(
        embed_dims=(16, 16, 16, 16),
        depths=(1, 1, 1, 1),
        num_heads=(1, 2, 2, 2),
        mlp_ratios=(2, 2, 2, 2),
    )
    model = HLGTransformer(arch).eval()
    image = torch.rand(1, 3, 64, 64)
    with record_attention(model) as weights:
        model(image)
    with record_attention(model) as expected, torch.no_grad():
        model(image)
    assert len(weights) == 3 * 2 + 1
    torch.testing.assert_close(weights, expected)


def test_masks_and_scales():
    torch.manual_seed(0)
    q, k = torch.rand(1, 2, 3, 4), torch.rand(1, 2, 5, 4)
    mask = torch.rand(3, 5) > 0.4
    mask[:, 0] = True
    model = Twice()
    with record_attention(model) as weights:
        out = model(q, k, mask)
    first, second = weights[''], weights['#2']
    logits = q @ k.transpose(2, 3) / 2
    logits[..., ~mask] = -torch.inf
    torch.testing.assert_close(first, logits.softmax(-1))
    logits = 2 * q @ k.transpose(2, 3)
    for row in range(3):
        logits[..., row, row + 1 :] = -torch.inf
    torch.testing.assert_close(second, logits.softmax(-1))
    torch.testing.assert_close(out, first @ k + second @ k)
    bias = torch.rand(2, 3, 5)
    torch.testing.assert_close(
        attention_weights(q, k, bias),
        (q @ k.transpose(2, 3) / 2 + bias).softmax(-1),
    )


@pytest.mark.parametrize('need_weights', [True, False])
def test_torch_multi_head_attention(need_weights):
    torch.manual_seed(0)
    model = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    x = torch.rand(3, 5, 8)
    with torch.no_grad():
        expected = model(x, x, x, need_weights=need_weights)
        per_head = model(x, x, x, average_attn_weights=False)[1]
        with record_attention(model) as weights:
            found = model(x, x, x, need_weights=need_weights)
    assert list(weights) == ['']
    torch.testing.assert_close(weights[''], per_head)
    torch.testing.assert_close(found[0], expected[0])
    if need_weights:
        torch.testing.assert_close(found[1], expected[1])
    else:
        assert found[1] is None


def test_values_only():
    """The gradient by a value is the weight of its key."""
    torch.manual_seed(0)
    k = torch.rand(1, 1, 5, 4)
    q = torch.rand(1, 1, 3, 4)
    v = torch.rand(1, 1, 5, 4, requires_grad=True)
    with record_attention(nn.Identity(), values_only=True) as weights:
        out = F.scaled_dot_product_attention(q, k, v)
    out[0, 0, 1, 2].backward()
    torch.testing.assert_close(v.grad[0, 0, :, 2], weights[''][0, 0, 1])
    assert not v.grad[..., :2].any()


def test_hooks_are_removed_after_an_error():
    model = nn.Linear(2, 2)
    with pytest.raises(RuntimeError), record_attention(model):
        model(torch.rand(3))
    assert not model._forward_hooks and not model._forward_pre_hooks
