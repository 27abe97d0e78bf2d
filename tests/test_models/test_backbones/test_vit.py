import pytest
import torch
import torch.nn.functional as F
from mmengine.runner.checkpoint import load_state_dict
from torch import nn

from mmvit.models.backbones.vit import (
    MultiHeadAttention,
    RelativePositionTable,
    SETRViT,
)
from mmvit.registry import MODELS

TINY = dict(embed_dims=12, depth=4, num_heads=3, mlp_ratio=2)
BEIT = dict(relative_position=True, layer_scale=0.1)
KINDS = [
    dict(),
    dict(with_cls_token=False),
    BEIT,
    dict(with_cls_token=False, **BEIT),
]
each_kind = pytest.mark.parametrize(
    'kind', KINDS, ids=['vit', 'vit-no-cls', 'beit', 'beit-no-cls']
)


def build(**kwargs) -> SETRViT:
    torch.manual_seed(0)
    model = SETRViT(TINY, **{'img_size': 64, 'patch_size': 8, **kwargs})
    for param in model.parameters():
        nn.init.normal_(param, std=0.2)
    return model


@pytest.mark.parametrize('with_cls_token', [False, True])
def test_attention_against_a_loop(with_cls_token):
    torch.manual_seed(0)
    size = (3, 2)
    bias = RelativePositionTable(size, 2, with_cls_token)
    for param in bias.parameters():
        nn.init.normal_(param)
    attn = MultiHeadAttention(8, 2, bias)
    tokens = with_cls_token + 6
    x = torch.rand(2, 1, tokens, 8)
    q, k, v = attn.qkv(x[:, 0]).chunk(3, -1)
    out = torch.zeros(2, tokens, 8)
    places = [(y, x) for y in range(3) for x in range(2)]
    if with_cls_token:
        places.insert(0, None)
    for image in range(2):
        for head in range(2):
            at = slice(4 * head, 4 * head + 4)
            for i, here in enumerate(places):
                logits = []
                for j, there in enumerate(places):
                    logit = (q[image, i, at] * k[image, j, at]).sum() / 2
                    if here is None or there is None:
                        row = 2 if here is there else int(here is not None)
                        logit = logit + bias.cls_bias[row, head]
                    else:
                        # from -2..2 and -1..1 to rows and columns from 0
                        row = here[0] - there[0] + 2
                        column = here[1] - there[1] + 1
                        logit = logit + bias.table[0, row, column, head]
                    logits.append(logit)
                weights = torch.stack(logits).softmax(0)
                out[image, i, at] = weights @ v[image, :, at]
    torch.testing.assert_close(attn(x, size)[:, 0], attn.proj(out))


@pytest.mark.parametrize('size', [(64, 64), (65, 97), (7, 40), (32, 160)])
@each_kind
def test_outputs(kind, size):
    model = build(out_indices=(0, 2, 3), **kind).eval()
    with torch.no_grad():
        outs = model(torch.rand(2, 3, *size))
    grid = tuple(-(-side // 8) for side in size)
    assert [tuple(out.shape) for out in outs] == [(2, 12, *grid)] * 3
    # mmcv's RoIAlign misreads all other orders in memory.
    assert all(out.is_contiguous() for out in outs)
    assert all(out.isfinite().all() for out in outs)


@each_kind
def test_every_parameter_gets_a_gradient(kind):
    model = build(with_cp=True, drop_path_rate=0.1, **kind).train()
    model(torch.rand(4, 3, 40, 48))[0].square().mean().backward()
    for name, param in model.named_parameters():
        assert param.grad.abs().sum() > 0, name


@each_kind
def test_checkpointing_changes_nothing(kind):
    grads = []
    for with_cp in (False, True):
        model = build(with_cp=with_cp, drop_path_rate=0.5, **kind).train()
        torch.manual_seed(1)
        model(torch.ones(4, 3, 40, 48))[0].sum().backward()
        grads.append([param.grad for param in model.parameters()])
    torch.testing.assert_close(*grads)


def test_taps_are_the_outputs_of_their_layers():
    image = torch.rand(1, 3, 48, 40)
    model = build(out_indices=(2, 0)).eval()
    seen = []
    for block in model.blocks:
        block.register_forward_hook(lambda *args: seen.append(args[2]))
    with torch.no_grad():
        outs = model(image)
    assert len(model.blocks) == 3, 'layers behind the last tap are not built'
    for out, tokens in zip(outs, (seen[0], seen[2])):
        expected = tokens[0, 0, 1:].unflatten(0, (6, 5)).permute(2, 0, 1)
        torch.testing.assert_close(out[0], expected)


def test_images_of_a_batch_do_not_mix():
    model = build(**BEIT).eval()
    images = torch.rand(3, 3, 65, 97)
    with torch.no_grad():
        (together,), (alone,) = model(images), model(images[1:2])
    torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-4)


def test_positions_are_interpolated_by_size():
    model = build()
    patches = torch.zeros(1, 5, 13, 12)
    table = model.position.table.permute(0, 3, 1, 2)
    expected = F.interpolate(table, (5, 13), mode='bilinear')
    with torch.no_grad():
        rows = model._embed(patches)
    assert rows.shape == (1, 1, 66, 12)
    torch.testing.assert_close(
        rows[0, 0, 1:], expected[0].flatten(1).T, rtol=1e-5, atol=1e-6
    )
    token = (model.cls_token + model.cls_position)[0, 0]
    torch.testing.assert_close(rows[0, 0, 0], token)


def test_relative_positions_of_a_smaller_map_keep_their_middle():
    """The offset 0 stays the middle of the table, whatever the size."""
    bias = RelativePositionTable((5, 5), 1, with_cls_token=False)
    with torch.no_grad():
        bias.table[0, 4, 4] = 9.0
        small = bias((3, 4))[0]
    assert small.shape == (12, 12)
    assert (small.argmax(1) == torch.arange(12)).all()


@each_kind
def test_weights_of_another_image_size(kind):
    source, target = build(**kind), build(img_size=96, **kind)
    weights = {key: value.clone() for key, value in source.named_parameters()}
    load_state_dict(target, weights, strict=True)
    with torch.no_grad():
        assert target.eval()(torch.rand(1, 3, 96, 64))[0].isfinite().all()


@pytest.mark.parametrize('frozen', [-1, 0, 2, 4])
def test_frozen_stages(frozen):
    model = build(frozen_stages=frozen)
    assert model.train() is model
    for name, param in model.named_parameters():
        depth = model.get_layer_depth(f'backbone.{name}', 'backbone.')[0]
        assert param.requires_grad is (depth > frozen), name
    assert [block.training for block in model.blocks] == [
        index >= frozen for index in range(4)
    ]
    with pytest.raises(ValueError, match='frozen_stages'):
        build(frozen_stages=5)


def test_layer_depths():
    model = build()
    depths = {
        key: model.get_layer_depth(key) for key, _ in model.named_parameters()
    }
    assert {total for _, total in depths.values()} == {6}
    assert depths['cls_token'][0] == depths['patch_embed.weight'][0] == 0
    assert depths['blocks.0.attn.qkv.weight'][0] == 1
    assert depths['blocks.3.mlp.fc2.bias'][0] == 4


@pytest.mark.parametrize(
    ('arch', 'kwargs', 'millions'),
    [
        # 86.57 M and 304.33 M are the classifiers of ViT at 224 pixels, less
        # the last norm and the linear layer.
        ('base', dict(img_size=224), 86.567656 - 0.769 - 0.001536),
        ('large', dict(img_size=224), 304.326632 - 1.025 - 0.002048),
        # Each layer has 95^2 + 3 biases of 16 heads and 2 x 1,024 factors.
        ('large', dict(**BEIT), 302.309376 + 0.788480 + 24 * 0.146496),
    ],
)
def test_parameter_counts(arch, kwargs, millions):
    with torch.device('meta'):
        model = MODELS.build(dict(type='mmvit.SETRViT', arch=arch, **kwargs))
    count = sum(param.numel() for param in model.parameters())
    assert count == round(millions * 1e6)


def test_errors():
    for wrong in ('huge', dict(embed_dims=8)):
        with pytest.raises(ValueError, match='arch'):
            SETRViT(wrong)
    for wrong in ((), (4,), (-1,)):
        with pytest.raises(ValueError, match='out_indices'):
            build(out_indices=wrong)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@each_kind
def test_gpu_agrees_with_cpu(kind):
    model = build(**kind).eval()
    image = torch.rand(2, 3, 65, 97)
    with torch.no_grad():
        (on_cpu,) = model(image)
        (on_gpu,) = model.cuda()(image.cuda())
    torch.testing.assert_close(on_cpu, on_gpu.cpu(), rtol=1e-3, atol=1e-3)


def test_frozen_layers_skip_nothing():
    model = build(drop_path_rate=0.5, frozen_stages=1)
    assert model.drop_path.rates[0] == 0 < model.drop_path.rates[1]
