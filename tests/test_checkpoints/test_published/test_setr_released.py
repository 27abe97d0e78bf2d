"""SETR's own dense models: the published logits with our names."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmvit.apis.config import build_model, load_config
from mmvit.checkpoints import convert

from .dense_shapes import setr_shapes
from .naive import Weights, to_map
from .published import random_weights
from .vit_naive import vit_layers

CONFIG = 'configs/setr/setr-{}_8xb1-80k_cityscapes-768x768.py'
SIZES = dict(dims=24, depth=4, side=4, classes=5, channels=16)
# Crop, data set, classes
DATA = {
    768: ('8xb1-80k_cityscapes-768x768', 19),
    512: ('8xb2-160k_ade20k-512x512', 150),
    480: ('8xb2-80k_pascal-context-60-480x480', 60),
}
METHODS = dict(naive='Naive', pup='PUP', mla='MLA')


def enlarge(x: Tensor, factor: int, align_corners: bool = False) -> Tensor:
    return F.interpolate(
        x, None, factor, mode='bilinear', align_corners=align_corners
    )


def tokens_to_map(net: Weights, x: Tensor, norm: str) -> Tensor:
    return to_map(net.norm(x, norm, 1e-6), 4)


def naive(net: Weights, layers: list[Tensor]) -> Tensor:
    """LayerNorm, two 1x1 convolutions, one enlargement."""
    name = 'decode_head'
    x = tokens_to_map(net, layers[-1], f'{name}.norm')
    x = net.conv(x, f'{name}.conv_0', 1, 0)
    x = net.batch_norm(x, f'{name}.syncbn_fc_0').relu()
    return enlarge(net.conv(x, f'{name}.conv_1', 1, 0), 16)


def pup(net: Weights, layers: list[Tensor]) -> Tensor:
    """The classifier stands before the last of four enlargements."""
    name = 'decode_head'
    x = tokens_to_map(net, layers[-1], f'{name}.norm')
    for step in range(4):
        x = net.conv(x, f'{name}.conv_{step}', 1, 1)
        x = net.batch_norm(x, f'{name}.syncbn_fc_{step}').relu()
        if step < 3:
            x = enlarge(x, 2)
    return enlarge(net.conv(x, f'{name}.conv_4', 1, 0), 2)


def mla(net: Weights, layers: list[Tensor]) -> Tensor:
    """Sums from the deepest layer up, streams from the shallowest down."""

    def step(x: Tensor, conv: str, norm: str, pad: int) -> Tensor:
        return net.batch_norm(net.conv(x, conv, 1, pad), norm).relu()

    total, streams = 0, []
    for level in (5, 4, 3, 2):
        index, name = level - 2, f'backbone.mla.mla_p{level}'
        x = tokens_to_map(net, layers[index], f'backbone.norm_{index}')
        total = total + step(x, f'{name}_1x1.0', f'{name}_1x1.1', 0)
        x, head = step(total, f'{name}.0', f'{name}.1', 1), 'decode_head'
        head = f'{head}.mlahead.head{level}'
        for first in (0, 3):
            x = step(x, f'{head}.{first}', f'{head}.{first + 1}', 1)
        streams.insert(0, enlarge(x, 4, align_corners=True))
    x = net.conv(torch.cat(streams, 1), 'decode_head.cls', 1, 1)
    return enlarge(x, 4)


def segmentor(
    method: str, encoder: str, classes: int, backbone: dict, heads: dict
) -> nn.Module:
    """The model of a Cityscapes config, with other sizes."""
    variant = encoder + ('-released' if method == 'mla' else '')
    config = load_config(CONFIG.format(f'{method}_{variant}'))
    config.model.backbone.update(init_cfg=None, **backbone)
    for head in (
        config.model.decode_head,
        *(config.model.auxiliary_head or ()),
    ):
        head.update(num_classes=classes, norm_cfg=dict(type='BN'), **heads)
    return build_model(config).eval()


def small_segmentor(method: str) -> nn.Module:
    heads = dict(in_channels=24, channels=16)
    if method == 'mla':
        heads = dict(in_channels=[24] * 4, channels=32, stream_channels=16)
    arch = dict(embed_dims=24, depth=4, num_heads=2, mlp_ratio=4)
    backbone = dict(arch=arch, img_size=64, out_indices=(0, 1, 2, 3))
    return segmentor(method, 'vit-l', 5, backbone, heads)


@pytest.mark.parametrize('method', list(METHODS))
def test_published_weights_give_the_published_logits(method):
    weights = random_weights(setr_shapes(method, **SIZES))
    done = convert(weights, 'setr')
    model = small_segmentor(method)
    model.load_state_dict(done.weights, strict=True)
    image = torch.rand(1, 3, 64, 64)
    encoder = {
        name.removeprefix('backbone.'): value
        for name, value in weights.items()
        if name.startswith('backbone.')
    }
    meta = [dict(ori_shape=(64, 64), img_shape=(64, 64), pad_shape=(64, 64))]
    with torch.no_grad():
        layers = vit_layers(encoder, image, 4, 2, with_cls=method != 'mla')
        theirs = dict(naive=naive, pup=pup, mla=mla)[method](
            Weights(weights), layers
        )
        ours = model.whole_inference(image, meta)
    assert theirs.std() > 0.05
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ('method', 'encoder', 'crop'),
    [
        ('naive', 'vit-b', 768),  # published for Cityscapes alone
        *(
            (method, 'vit-l', crop)
            for method in ('naive', 'pup', 'mla')
            for crop in DATA
        ),
    ],
)
def test_every_published_key_has_its_place(method, encoder, crop):
    end, classes = DATA[crop]
    dims, depth = (768, 12) if encoder == 'vit-b' else (1024, 24)
    shapes = setr_shapes(method, dims, depth, crop // 16, classes)
    with torch.device('meta'):
        weights = {name: torch.empty(shape) for name, shape in shapes.items()}
        done = convert(weights, 'setr')
        model = segmentor(method, encoder, classes, dict(img_size=crop), {})
    variant = encoder + ('-released' if method == 'mla' else '')
    assert done.config == f'configs/setr/setr-{method}_{variant}_{end}.py'
    assert done.task == f'SETR-{METHODS[method]}'
    own = {name: value.shape for name, value in model.state_dict().items()}
    assert {name: v.shape for name, v in done.weights.items()} == own
    unused = ('conv_seg', '.aux.') if method == 'mla' else ('conv_seg',)
    expected = [name for name in shapes if any(u in name for u in unused)]
    if method == 'mla':
        expected.append('backbone.cls_token')
    assert sorted(done.left_out) == sorted(expected)


def test_a_foreign_key_is_reported():
    weights = random_weights(setr_shapes('pup', **SIZES))
    weights['decode_head.gate.weight'] = torch.zeros(1)
    with pytest.raises(
        ValueError, match='1 of its .*: decode_head.gate.weight'
    ):
        convert(weights, 'setr')
