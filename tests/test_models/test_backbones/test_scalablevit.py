import pytest
import torch

from mmvit.models.backbones.scalablevit import (
    ScalableAttention,
    ScalableViT,
    WindowAttention,
)

ARCH = dict(
    embed_dims=(8, 16, 24, 32),
    depths=(2, 1, 1, 2),
    num_heads=(1, 2, 3, 4),
    mlp_ratios=(2, 2, 2, 2),
    sr_ratios=(8, 4, 2, 1),
    channel_ratios=(1.25, 2.0, 0.5, 1.0),
)


CLOSE = dict(rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('interaction', ['lim', 'lem', None])
@pytest.mark.parametrize('shift', [0, 1])
@pytest.mark.parametrize('size', [(6, 6), (5, 7), (56, 56)])
def test_window_attention_against_a_loop(size, shift, interaction):
    torch.manual_seed(0)
    attn = WindowAttention(4, 2, 3, interaction, shift)
    x = torch.rand(2, *size, 4)
    q, k, v = attn.qkv(x).chunk(3, -1)
    out = torch.zeros_like(x)
    for top in range(-shift, size[0], 3):
        for left in range(-shift, size[1], 3):
            rows = slice(max(top, 0), top + 3)
            columns = slice(max(left, 0), left + 3)
            # Only what lies on the map: nothing is padded here.
            wq, wk, wv = (part[:, rows, columns] for part in (q, k, v))
            mixed = torch.zeros_like(wv)
            for head in range(2):
                at = (..., slice(2 * head, 2 * head + 2))
                hq, hk, hv = (part[at].flatten(1, 2) for part in (wq, wk, wv))
                weights = (hq @ hk.transpose(1, 2) / 2**0.5).softmax(-1)
                mixed[at] = (weights @ hv).view(mixed[at].shape)
            if interaction == 'lem':
                mixed = mixed + attn.mixing(wv)
            out[:, rows, columns] = mixed
    if interaction == 'lim':
        out = out + attn.mixing(v)
    torch.testing.assert_close(attn(x), attn.proj(out), **CLOSE)


# 56 and R = 8 are stage 1 of an image of 224 x 224.
@pytest.mark.parametrize(
    ('size', 'ratio'), [((56, 56), 8), ((6, 4), 2), ((5, 7), 2), ((4, 3), 1)]
)
def test_scalable_attention_against_a_loop(size, ratio):
    torch.manual_seed(0)
    attn = ScalableAttention(4, 2, ratio, channel_ratio=1.5)
    x = torch.rand(2, *size, 4)
    keys = []
    for top in range(0, size[0], ratio):
        for left in range(0, size[1], ratio):
            # What lies outside of the map counts as zero.
            cell = x[:, top : top + ratio, left : left + ratio]
            if ratio == 1:
                keys.append(cell[:, 0, 0])
                continue
            conv, point, norm, act = attn.reduction
            weight = conv.weight[:, 0].permute(1, 2, 0)
            part = weight[: cell.shape[1], : cell.shape[2]]
            keys.append(
                act(norm(point((cell * part).sum((1, 2)) + conv.bias)))
            )
    source = torch.stack(keys, 1)
    q, k, v = attn.q(x.flatten(1, 2)), attn.k(source), attn.v(source)
    out = []
    for head in range(2):
        hq, hk, hv = (part.chunk(2, -1)[head] for part in (q, k, v))
        logits = hq @ hk.transpose(1, 2) * hq.shape[-1] ** -0.5
        out.append(logits.softmax(-1) @ hv)
    expected = attn.proj(torch.cat(out, -1)).view(2, *size, 4)
    torch.testing.assert_close(attn(x), expected, **CLOSE)


def test_scalable_attention_reads_every_token():
    """5 is not a multiple of 2: the last row still becomes keys."""
    torch.manual_seed(0)
    attn = ScalableAttention(4, 1, sr_ratio=2, channel_ratio=1.5)
    assert (attn.q.out_features, attn.k.out_features) == (6, 6)
    x = torch.rand(1, 5, 5, 4)
    changed = x.clone()
    changed[:, 4, 4] += 1
    assert not torch.allclose(attn(x)[0, 0, 0], attn(changed)[0, 0, 0])


@pytest.mark.parametrize(
    'options',
    [
        dict(attentions=('ssa', 'iwsa')),
        dict(attentions=('wsa', 'wsa')),
        dict(attentions=('iwsa', 'iwsa')),
        dict(attentions=('ssa', 'ssa')),
        dict(attentions=('swsa', 'ssa')),
        dict(interaction='lem'),
        dict(interaction=None),
        dict(with_peg=False),
    ],
    ids=str,
)
def test_ablations_change_the_function(options):
    image = torch.rand(1, 3, 65, 97)
    outs = []
    for kwargs in ({}, options):
        torch.manual_seed(0)
        model = ScalableViT(ARCH, **kwargs).eval()
        with torch.no_grad():
            outs.append(model(image)[-1])
    assert outs[0].shape == outs[1].shape
    assert not torch.allclose(*outs)


def test_final_norm():
    model = ScalableViT(ARCH, final_norm=True).eval()
    with torch.no_grad():
        out = model(torch.rand(1, 3, 64, 64))[-1]
    mean = out.mean(1)
    torch.testing.assert_close(mean, torch.zeros_like(mean), atol=1e-5, rtol=0)


def test_errors():
    with pytest.raises(ValueError, match='iwsa, ssa'):
        ScalableViT(ARCH, attentions=('iwsa', 'global'))
    with pytest.raises(ValueError, match='iwsa, ssa'):
        ScalableViT(ARCH, attentions=('iwsa',))
    with pytest.raises(ValueError, match="'lim', 'lem' or None"):
        ScalableViT(ARCH, interaction='cross')
