"""ViT, DeiT and BEiT: the published function with our names."""

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mmvit.apis.config import build_model, load_config
from mmvit.checkpoints import convert, convert_published
from mmvit.models.backbones.vit import SETRViT

from .naive import to_tokens
from .published import random_weights
from .vit_naive import vit_layers, vit_shapes

ARCH = dict(embed_dims=24, depth=3, num_heads=2, mlp_ratio=4)


@pytest.mark.parametrize('kind', ['vit', 'deit', 'beit'])
def test_published_weights_give_the_published_function(kind):
    weights = random_weights(vit_shapes(24, 3, 2, 4, kind))
    converted = convert_published(weights, 'setr')
    extra = dict(relative_position=True, layer_scale=1.0)
    if kind != 'beit':
        extra = {}
    model = SETRViT(ARCH, img_size=64, out_indices=(0, 1, 2), **extra).eval()
    model.load_state_dict(
        {
            name.removeprefix('backbone.'): value
            for name, value in converted.items()
        },
        strict=True,
    )
    image = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        ours = [to_tokens(out) for out in model(image)]
    theirs = vit_layers(weights, image, 3, 2)
    assert theirs[-1].std() > 0.1
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_a_timm_model_gives_the_same_features():
    timm = pytest.importorskip('timm')
    torch.manual_seed(0)
    theirs = timm.models.VisionTransformer(
        img_size=64, patch_size=16, embed_dim=24, depth=3, num_heads=2
    ).eval()
    converted = convert_published(theirs.state_dict(), 'setr')
    model = SETRViT(ARCH, img_size=64).eval()
    model.load_state_dict(
        {
            name.removeprefix('backbone.'): value
            for name, value in converted.items()
        },
        strict=True,
    )
    seen = []
    theirs.blocks[-1].register_forward_hook(lambda *args: seen.append(args[2]))
    image = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        (ours,) = model(image)
        theirs(image)
    torch.testing.assert_close(
        to_tokens(ours), seen[0][:, 1:], rtol=1e-4, atol=1e-4
    )


CITYSCAPES = '_8xb1-80k_cityscapes-768x768.py'


@pytest.mark.parametrize(
    ('kind', 'encoder', 'dims', 'depth', 'heads', 'side'),
    [
        ('vit', 'vit-l', 1024, 24, 16, 24),
        ('vit', 'vit-b', 768, 12, 12, 24),
        ('deit', 'deit-b', 768, 12, 12, 24),
        ('beit', 'beit-l', 1024, 24, 16, 14),
    ],
)
def test_every_published_key_has_its_place(
    kind, encoder, dims, depth, heads, side
):
    shapes = vit_shapes(dims, depth, heads, side, kind)
    with torch.device('meta'):
        weights = {name: torch.empty(shape) for name, shape in shapes.items()}
        config = load_config(f'configs/setr/setr-pup_{encoder}{CITYSCAPES}')
        backbone = build_model(config).backbone
    converted = convert_published(weights, 'setr')
    own = {f'backbone.{name}' for name in backbone.state_dict()}
    assert set(converted) == own
    for name, param in backbone.named_parameters():
        given = converted[f'backbone.{name}'].shape
        # Tables of another grid are resized while they are loaded.
        assert given[-1:] == param.shape[-1:] and (
            given == param.shape or name.endswith('table')
        ), name


def test_beit_before_its_fine_tuning_shares_one_table():
    shapes = vit_shapes(24, 3, 2, 4, 'beit')
    table = 'attn.relative_position_bias_table'
    shapes = {k: v for k, v in shapes.items() if not k.endswith(table)}
    shapes['rel_pos_bias.relative_position_bias_table'] = (52, 2)
    shapes['mask_token'] = (1, 1, 24)
    converted = convert_published(random_weights(shapes), 'setr')
    tables = [
        converted[f'backbone.blocks.{index}.attn.position_bias.table']
        for index in range(3)
    ]
    assert tables[0].shape == (1, 7, 7, 2)
    assert torch.equal(tables[0], tables[2])


def test_a_foreign_key_is_reported():
    weights = random_weights(vit_shapes(24, 1, 2, 4, 'vit'))
    weights['blocks.0.attn.gate.weight'] = torch.zeros(1)
    with pytest.raises(ValueError, match='1 of its .* blocks.0.attn.gate'):
        convert_published(weights, 'setr')


def hugging_face(weights: dict[str, Tensor], kind: str) -> dict[str, Tensor]:
    """timm's weights by the names of Hugging Face's transformers."""
    names = {
        'cls_token': 'embeddings.cls_token',
        'dist_token': 'embeddings.distillation_token',
        'pos_embed': 'embeddings.position_embeddings',
        'patch_embed.proj': 'embeddings.patch_embeddings.projection',
        'norm1': 'layernorm_before',
        'norm2': 'layernorm_after',
        'attn.proj': 'attention.output.dense',
        'mlp.fc1': 'intermediate.dense',
        'mlp.fc2': 'output.dense',
        'gamma_1': 'lambda_1',
        'gamma_2': 'lambda_2',
    }
    attn = 'attention.attention.'
    renamed = {}
    for key, value in weights.items():
        block, _, part = key.partition('.attn.')
        layer = f'{kind}.{block.replace("blocks.", "encoder.layer.")}.{attn}'
        if part.startswith('qkv.'):
            for name, chunk in zip(('query', 'key', 'value'), value.chunk(3)):
                renamed[f'{layer}{name}.{part[4:]}'] = chunk
        elif part in ('q_bias', 'v_bias'):
            name = dict(q='query', v='value')[part[0]]
            renamed[f'{layer}{name}.bias'] = value
        elif part.startswith('relative'):
            renamed[f'{layer}relative_position_bias.{part}'] = value
        elif key.startswith(('head', 'fc_norm')):
            name = key.replace('head_dist', 'distillation_classifier')
            name = name.replace('head', 'classifier')
            name = name.replace('fc_norm', f'{kind}.pooler.layernorm')
            renamed[name] = value
        else:
            key = key.replace('blocks.', 'encoder.layer.')
            for ours, theirs in names.items():
                key = re.sub(
                    rf'(^|\.){re.escape(ours)}($|\.)', rf'\1{theirs}\2', key
                )
            renamed[f'{kind}.{re.sub("^norm", "layernorm", key)}'] = value
    return renamed


@pytest.mark.parametrize('kind', ['vit', 'deit', 'beit'])
def test_names_of_hugging_face_give_the_same_weights(kind):
    weights = random_weights(vit_shapes(24, 2, 2, 4, kind))
    theirs = hugging_face(weights, kind)
    assert f'{kind}.encoder.layer.1.attention.attention.key.weight' in theirs
    assert f'{kind}.encoder.layer.0.layernorm_before.bias' in theirs
    ours = convert_published(weights, 'setr')
    converted = convert_published(theirs, 'setr')
    assert converted.keys() == ours.keys()
    assert all(torch.equal(converted[name], ours[name]) for name in ours)


@pytest.mark.parametrize(
    ('kind', 'dims', 'config'),
    [
        ('vit', 768, 'configs/setr/setr-*_vit-b_*.py'),
        ('vit', 1024, 'configs/setr/setr-*_vit-l_*.py'),
        ('deit', 768, 'configs/setr/setr-*_deit-b_*.py'),
        ('beit', 1024, 'configs/setr/setr-*_beit-l_*.py'),
        ('beit', 24, ''),
    ],
)
def test_configs_of_an_encoder_are_named(kind, dims, config):
    with torch.device('meta'):
        weights = {
            name: torch.empty(shape)
            for name, shape in vit_shapes(dims, 1, 2, 4, kind).items()
        }
    done = convert(weights, 'setr')
    assert done.config == config
    assert list(Path().glob(config)) if config else True
    assert {'head.weight', 'head.bias'} < set(done.left_out)
    assert not any('bias_table' in name for name in done.left_out)
    assert not any('q_bias' in name for name in done.left_out)
