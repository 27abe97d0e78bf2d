"""ViT, DeiT, BEiT and mmseg's SETR: the published function with our names."""

import pytest
import torch
from torch import Tensor, nn

from mmvit.apis.config import build_model, load_config
from mmvit.checkpoints import convert_published
from mmvit.models.backbones.vit import SETRViT

from .naive import Weights, gelu, to_tokens
from .published import random_weights

ARCH = dict(embed_dims=24, depth=3, num_heads=2, mlp_ratio=4)


def vit_shapes(
    dims: int, depth: int, heads: int, side: int, kind: str
) -> dict[str, tuple[int, ...]]:
    """timm's names and shapes: kind 'vit', 'deit' (distilled) or 'beit'."""
    shapes: dict[str, tuple[int, ...]] = {'cls_token': (1, 1, dims)}

    def layer(name: str, *shape: int, bias: bool = True) -> None:
        shapes[f'{name}.weight'] = shape
        if bias:
            shapes[f'{name}.bias'] = shape[:1]

    is_beit = kind == 'beit'
    if not is_beit:
        shapes['pos_embed'] = (1, side**2 + 1 + (kind == 'deit'), dims)
    if kind == 'deit':
        shapes['dist_token'] = (1, 1, dims)
        layer('head_dist', 1000, dims)
    layer('patch_embed.proj', dims, 3, 16, 16)
    for index in range(depth):
        block = f'blocks.{index}'
        layer(f'{block}.norm1', dims)
        layer(f'{block}.attn.qkv', 3 * dims, dims, bias=not is_beit)
        if is_beit:
            shapes[f'{block}.attn.q_bias'] = (dims,)
            shapes[f'{block}.attn.v_bias'] = (dims,)
            rows = (2 * side - 1) ** 2 + 3
            name = f'{block}.attn.relative_position'
            shapes[f'{name}_bias_table'] = (rows, heads)
            shapes[f'{name}_index'] = (side**2 + 1,) * 2
            shapes[f'{block}.gamma_1'] = (dims,)
            shapes[f'{block}.gamma_2'] = (dims,)
        layer(f'{block}.attn.proj', dims, dims)
        layer(f'{block}.norm2', dims)
        layer(f'{block}.mlp.fc1', 4 * dims, dims)
        layer(f'{block}.mlp.fc2', dims, 4 * dims)
    layer('fc_norm' if is_beit else 'norm', dims)
    layer('head', 1000, dims)
    return shapes


def published_function(
    weights: dict[str, Tensor], image: Tensor, depth: int, heads: int
) -> list[Tensor]:
    """Each layer's tokens of the map, from the papers and the weights."""
    net = Weights(weights)
    x = net.conv(image, 'patch_embed.proj', 16, 0)
    side = x.shape[-1]
    x = to_tokens(x)
    token = weights['cls_token'].expand(len(x), -1, -1)
    if 'pos_embed' in weights:
        positions = weights['pos_embed']
        # DeiT's second token is left out, and so is its position.
        token = token + positions[:, :1]
        x = x + positions[:, -x.shape[1] :]
    x = torch.cat([token, x], dim=1)
    outs = []
    for index in range(depth):
        block = f'blocks.{index}'
        hidden = net.norm(x, f'{block}.norm1', 1e-6)
        qkv = hidden @ weights[f'{block}.attn.qkv.weight'].T
        q, k, v = qkv.chunk(3, -1)
        if 'pos_embed' in weights:
            bias = weights[f'{block}.attn.qkv.bias']
            q, k, v = (a + b for a, b in zip((q, k, v), bias.chunk(3)))
        else:
            q = q + weights[f'{block}.attn.q_bias']
            v = v + weights[f'{block}.attn.v_bias']
        table = weights.get(f'{block}.attn.relative_position_bias_table')
        parts = []
        for head, (hq, hk, hv) in enumerate(
            zip(*(part.chunk(heads, -1) for part in (q, k, v)))
        ):
            logits = hq @ hk.transpose(1, 2) / hq.shape[-1] ** 0.5
            if table is not None:
                logits = logits + beit_bias(table[:, head], side)
            parts.append(logits.softmax(-1) @ hv)
        out = net.linear(torch.cat(parts, -1), f'{block}.attn.proj')
        x = x + weights.get(f'{block}.gamma_1', 1) * out
        hidden = net.norm(x, f'{block}.norm2', 1e-6)
        hidden = gelu(net.linear(hidden, f'{block}.mlp.fc1'))
        out = net.linear(hidden, f'{block}.mlp.fc2')
        x = x + weights.get(f'{block}.gamma_2', 1) * out
        outs.append(x[:, 1:])
    return outs


def beit_bias(table: Tensor, side: int) -> Tensor:
    """One head's (1 + N, 1 + N) from BEiT's rows, entry by entry."""
    number = side**2 + 1
    bias = torch.empty(number, number)
    bias[0, :], bias[:, 0], bias[0, 0] = table[-3], table[-2], table[-1]
    for query in range(side**2):
        for key in range(side**2):
            rows = query // side - key // side + side - 1
            columns = query % side - key % side + side - 1
            bias[query + 1, key + 1] = table[rows * (2 * side - 1) + columns]
    return bias


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
    theirs = published_function(weights, image, 3, 2)
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


# ------------------------------------------------------------ mmseg's models


def segmentors(method: str) -> tuple[nn.Module, nn.Module]:
    """mmseg's published SETR, made small, and ours for its weights."""
    theirs = load_config(f'mmseg::setr/setr_vit-l_{method}{CITYSCAPES}')
    ours = load_config(f'configs/setr/setr-{method}_vit-l{CITYSCAPES}')
    small = dict(
        embed_dims=48, num_layers=4, num_heads=3, out_indices=(0, 1, 2, 3)
    )
    theirs.model.backbone.update(small, init_cfg=None)
    ours.model.backbone.update(
        arch=dict(embed_dims=48, depth=4, num_heads=3, mlp_ratio=4),
        out_indices=(0, 1, 2, 3),
        init_cfg=None,
    )
    if method == 'mla':
        theirs.model.neck.in_channels = [48] * 4
        ours.model.decode_head.in_channels = [48] * 4
        # Ours read the encoder's layers, theirs what the neck makes of them.
        ours.model.auxiliary_head = None
    else:
        keys = ('in_index', 'num_convs', 'up_scale', 'kernel_size')
        heads = theirs.model.auxiliary_head
        for head in (theirs.model.decode_head, *heads):
            head.update(in_channels=48, channels=16)
        ours.model.decode_head.update(in_channels=48, channels=16)
        if method == 'naive':
            ours.model.decode_head.up_scale = 4
            keys = ('in_index', 'up_scale')
        own = ours.model.auxiliary_head[0]
        ours.model.auxiliary_head = [
            dict(own, in_channels=48, channels=16)
            | {key: head[key] for key in keys}
            for head in heads
        ]
    for config in (theirs, ours):
        for head in (
            config.model.decode_head,
            *(config.model.auxiliary_head or ()),
        ):
            head.norm_cfg = dict(type='BN')
        if config.model.get('neck'):
            config.model.neck.norm_cfg = dict(type='BN')
    return build_model(theirs).eval(), build_model(ours).eval()


@pytest.mark.parametrize('method', ['naive', 'pup', 'mla'])
def test_mmseg_weights_give_mmseg_logits(method):
    theirs, ours = segmentors(method)
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for name, value in theirs.state_dict().items():
        noise = torch.randn(value.shape, generator=generator)
        if name.endswith('running_var'):
            value = 1 + noise.square()
        elif value.is_floating_point():
            value = (
                noise * (value[0].numel() if value.dim() > 1 else 9) ** -0.5
            )
        weights[name] = value
    theirs.load_state_dict(weights)
    converted = convert_published(weights, 'setr')
    ours.load_state_dict(converted, strict=True)
    # The window of the test, and an odd size: as a whole and in windows.
    for size, mode in (
        ((768, 768), 'whole'),
        ((107, 333), 'whole'),
        ((107, 333), 'slide'),
    ):
        image = torch.randn(1, 3, *size, generator=generator)
        meta = [dict(ori_shape=size, img_shape=size, pad_shape=size)]
        logits = []
        for model in (theirs, ours):
            model.test_cfg.update(
                mode=mode, crop_size=(96, 96), stride=(64, 64)
            )
            with torch.no_grad():
                logits.append(model.inference(image, meta))
        assert logits[0].std() > 0.1
        torch.testing.assert_close(*logits, rtol=1e-4, atol=1e-4)
