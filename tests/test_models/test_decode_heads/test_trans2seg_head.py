import pytest
import torch
from torch import nn

from mmvit.models import Trans2SegHead
from mmvit.models.decode_heads.trans2seg_head import CategoryDecoderLayer


def build(**kwargs) -> Trans2SegHead:
    torch.manual_seed(0)
    head = Trans2SegHead(
        in_channels=(6, 10),
        channels=8,
        embed_dims=16,
        num_layers=2,
        num_heads=4,
        grid=(3, 5),
        in_index=(1, 3),
        num_classes=7,
        norm_cfg=dict(type='BN'),
        **kwargs,
    )
    head.init_weights()
    return head


def maps_of(height: int, width: int) -> tuple[torch.Tensor, ...]:
    sizes = [(4 * height, 4 * width), (height, width)]
    fine, coarse = (torch.rand(2, c, *s) for c, s in zip((6, 10), sizes))
    return torch.empty(0), fine, torch.empty(0), coarse


@pytest.mark.parametrize('size', [(3, 5), (4, 4), (2, 7), (1, 1)])
def test_any_size(size):
    head = build().eval()
    with torch.no_grad():
        out = head(maps_of(*size))
    assert out.shape == (2, 7, 4 * size[0], 4 * size[1])
    assert out.isfinite().all()


def test_categories_are_told_apart_from_the_start():
    head = build().eval()
    with torch.no_grad():
        maps = head._decode(torch.randn(2, 3, 5, 16))
    # (B, K, h, H, W): a deviation of 0.02 in q and k would give 0.003
    assert maps.std(dim=1).mean() > 0.2


def test_every_parameter_gets_a_gradient():
    head = build().train()
    for param in head.parameters():
        nn.init.normal_(param, std=0.2)
    # Not the sum: a batch norm makes it the same for all inputs.
    head(maps_of(3, 5)).square().mean().backward()
    for name, param in head.named_parameters():
        assert param.grad is not None and param.grad.abs().sum() > 0, name


def test_images_of_a_batch_do_not_mix():
    head = build().eval()
    inputs = maps_of(4, 5)
    with torch.no_grad():
        both, one = head(inputs), head(tuple(part[1:] for part in inputs))
    torch.testing.assert_close(both[1:], one)


def test_categories_differ_by_their_embeddings_alone():
    head = build().eval()
    with torch.no_grad():
        head.categories[:, 2] = head.categories[:, 5]
        out = head(maps_of(3, 5))
    torch.testing.assert_close(out[:, 2], out[:, 5])
    assert not torch.allclose(out[:, 2], out[:, 4])


def test_decoder_layer_against_a_loop():
    torch.manual_seed(0)
    layer = CategoryDecoderLayer(8, 2, grid=(2, 3), mlp_ratio=2)
    for param in layer.parameters():
        nn.init.normal_(param, std=0.3)
    query, tokens = torch.rand(1, 4, 8), torch.rand(1, 2, 3, 8)
    before = torch.rand(1, 2, 4, 2, 3)
    found = layer(query, tokens, before)
    flat = tokens.flatten(1, 2)
    q, k = layer.q(layer.norm_query(query)), layer.k(layer.norm_tokens(flat))
    v = layer.v(layer.norm_tokens(flat))
    maps = torch.zeros_like(before)
    looked = torch.zeros_like(query)
    for head in range(2):
        at = slice(4 * head, 4 * head + 4)
        for category in range(4):
            logits = torch.stack(
                [q[0, category, at] @ k[0, n, at] / 2 for n in range(6)]
            )
            looked[0, category, at] = logits.softmax(0) @ v[0, :, at]
            places = before[0, head, category].flatten() + logits
            places = places + layer.mlp_maps(layer.norm_maps(places))
            maps[0, head, category] = places.view(2, 3)
    query = query + layer.proj(looked)
    query = query + layer.mlp_query(layer.norm1(query))
    tokens = tokens + layer.mlp_tokens(layer.norm2(tokens))
    for ours, expected in zip(found, (query, tokens, maps)):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


def test_errors():
    with pytest.raises(ValueError, match='name a fine and a coarse map'):
        Trans2SegHead((8, 8, 8), in_index=(0, 1, 2), num_classes=3)
    with pytest.raises(ValueError, match='embed_dims 30 must be a multiple'):
        Trans2SegHead((8, 8), embed_dims=30, num_classes=3)
