import pytest
import torch

from mmvit.models.backbones.pvt import PVT, SpatialReductionAttention


@pytest.mark.parametrize('sr_ratio', [1, 2])
def test_attention_against_a_loop_over_queries(sr_ratio):
    torch.manual_seed(0)
    attn = SpatialReductionAttention(6, num_heads=2, sr_ratio=sr_ratio)
    x = torch.rand(1, 4, 6, 6)
    keys = attn.reduction(x).flatten(1, 2)[0]
    assert len(keys) == 24 // sr_ratio**2
    k, v = (part.unflatten(-1, (2, 3)) for part in attn.kv(keys).chunk(2, -1))
    rows = []
    for token in x.flatten(1, 2)[0]:
        q = attn.q(token).unflatten(-1, (2, 3))
        heads = []
        for head in range(2):
            weights = (k[:, head] @ q[head] / 3**0.5).softmax(0)
            heads.append(weights @ v[:, head])
        rows.append(attn.proj(torch.cat(heads)))
    torch.testing.assert_close(attn(x).flatten(1, 2)[0], torch.stack(rows))


def test_reduction_leaves_no_token_out():
    """5 is not a multiple of 2: the last row still becomes keys."""
    torch.manual_seed(0)
    attn = SpatialReductionAttention(4, num_heads=1, sr_ratio=2)
    x = torch.rand(1, 5, 5, 4)
    changed = x.clone()
    changed[:, 4, 4] += 1
    assert not torch.allclose(attn(x)[0, 0, 0], attn(changed)[0, 0, 0])


def test_class_token_sees_the_image_and_nothing_else_is_returned():
    model = PVT('tiny', with_cls_token=True).eval()
    image = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        (token,) = model(image)
        (other,) = model(1 - image)
    assert token.shape == (2, 512)
    assert not torch.allclose(token, other)


def test_class_token_errors():
    with pytest.raises(ValueError, match='out_indices'):
        PVT('tiny', with_cls_token=True, out_indices=(0, 3))
    arch = {**PVT.arch_zoo['tiny'], 'sr_ratios': (8, 4, 2, 2)}
    with pytest.raises(ValueError, match='sr_ratios'):
        PVT(arch, with_cls_token=True)


def test_drop_path_grows_linearly():
    model = PVT('tiny', drop_path_rate=0.7)
    rates = [rate for stage in model.stages for rate in stage.drop_path.rates]
    assert rates == pytest.approx([0.1 * index for index in range(8)])


def test_dropout_arguments_take_effect():
    arch = dict(
        embed_dims=(8, 8, 8, 8),
        depths=(1, 1, 1, 1),
        num_heads=(1, 1, 1, 1),
        mlp_ratios=(2, 2, 2, 2),
        sr_ratios=(8, 4, 2, 1),
    )
    image = torch.rand(1, 3, 64, 64)
    for name in ('drop_rate', 'attn_drop_rate'):
        model = PVT(arch, **{name: 0.5}).train()
        assert not torch.equal(model(image)[-1], model(image)[-1]), name
        model.eval()
        assert torch.equal(model(image)[-1], model(image)[-1]), name
    assert PVT(arch, qkv_bias=False).stages[0].blocks[0].attn.q.bias is None


def test_initial_weights():
    model = PVT('tiny')
    model.init_weights()
    fc1 = model.stages[0].blocks[0].mlp.fc1
    assert fc1.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert fc1.bias.abs().max() == 0
    table = model.stages[0].downsample.position.table
    assert table.std().item() == pytest.approx(0.02, rel=0.05)
