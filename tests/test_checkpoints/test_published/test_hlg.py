"""HLG with weights of the published names: the function of the modules."""

import pytest
import torch
from torch import Tensor, nn

from mmvit.apis.config import build_model, load_config
from mmvit.checkpoints import convert_published
from mmvit.models import HLGTransformer

from .naive import Weights, attend, gelu, to_map, to_tokens
from .published import HLG, hlg_shapes, random_weights

CONFIG = 'configs/hlg/hlg-{}_8xb128-300e_in1k.py'


def classifier(arch: str) -> nn.Module:
    cfg = load_config(CONFIG.format('mobile' if arch == 'mobile' else arch[0]))
    cfg.model.backbone.stem_kernel_size = 3
    return build_model(cfg).eval()


@pytest.mark.parametrize('arch', list(HLG))
def test_every_published_key_has_its_place(arch):
    shapes = hlg_shapes(arch)
    with torch.device('meta'):
        weights = {name: torch.empty(shape) for name, shape in shapes.items()}
        model = classifier(arch)
    converted = convert_published(weights, 'hlg')
    own = {name: value.shape for name, value in model.state_dict().items()}
    assert {name: value.shape for name, value in converted.items()} == own


def test_unknown_keys_are_told():
    weights = {
        'block1.0.pos_embed': torch.zeros(1),
        'pos_embed1': torch.zeros(1),
        'block4.0.aux_q.weight': torch.zeros(1),
    }
    with pytest.raises(ValueError, match=r'2 of its 3 .*1\.0\.pos_embed, pos'):
        convert_published(weights, 'hlg')


def conv_norm(
    net: Weights, x: Tensor, conv: str, norm: str, stride: int = 1
) -> Tensor:
    """A convolution with its bias, normalised by running statistics."""
    weight = net[f'{conv}.weight']
    x = nn.functional.conv2d(
        x,
        weight,
        net.weights.get(f'{conv}.bias'),
        stride,
        weight.shape[-1] // 2,
        groups=x.shape[1] // weight.shape[1],
    )
    mean, var, scale, shift = (
        net[f'{norm}.{part}'][:, None, None]
        for part in ('running_mean', 'running_var', 'weight', 'bias')
    )
    return (x - mean) / (var + 1e-5).sqrt() * scale + shift


def test_published_weights_give_the_published_function():
    """Stem and the first layer up to its attention; all of the last layer."""
    weights = random_weights(hlg_shapes('mobile'))
    for name in weights:
        if name.endswith('running_var'):
            weights[name] = weights[name].abs() + 0.5
    converted = convert_published(weights, 'hlg')
    model = classifier('mobile')
    model.load_state_dict(converted, strict=True)
    backbone: HLGTransformer = model.backbone
    net, image = Weights(weights), torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        ours = backbone.stages[0].downsample(image.permute(0, 2, 3, 1))
        x = gelu(conv_norm(net, image, 's0_conv.0.0', 's0_conv.0.1', 2))
        x = gelu(conv_norm(net, x, 's0_conv.1.0', 's0_conv.1.1'))
        torch.testing.assert_close(
            ours.permute(0, 3, 1, 2), x, rtol=1e-4, atol=1e-4
        )
        block, ours = 'block1.0', backbone.stages[0].blocks[0]
        theirs = mlp(net, x, block, 2)
        shortcut = f'{block}.down_proj.proj'
        theirs = theirs + to_tokens(
            gelu(conv_norm(net, x, f'{shortcut}.0', f'{shortcut}.1', 2))
        )
        got = x.permute(0, 2, 3, 1)
        got = ours.shortcut(got) + ours.norm(ours.mlp(got))
        torch.testing.assert_close(
            got.flatten(1, 2), theirs, rtol=1e-4, atol=1e-4
        )
        smooth = f'{block}.spatial_smooth.0'
        y = x = to_map(theirs, 8)
        for conv, norm in ((0, 1), (3, 4), (6, 7)):
            y = conv_norm(net, y, f'{smooth}.{conv}', f'{smooth}.{norm}')
            y = gelu(y) if norm < 7 else y
        torch.testing.assert_close(
            ours.attn.bottleneck(got).permute(0, 3, 1, 2),
            gelu(x + y),
            rtol=1e-4,
            atol=1e-4,
        )
        x = torch.randn(1, 384, 1, 1)
        block = 'block4.1'
        theirs = to_tokens(x) + mlp(net, x, block)
        # One token attends to itself, whatever the position bias.
        q, k, v = (net.linear(theirs, f'{block}.{part}') for part in 'qkv')
        out = net.linear(attend(q, k, v, 16), f'{block}.global_attn.proj')
        theirs = theirs + net.norm(out, f'{block}.norm1', 1e-5)
        got = backbone.stages[3].blocks[1](x.permute(0, 2, 3, 1))
        torch.testing.assert_close(
            got.flatten(1, 2), theirs, rtol=1e-4, atol=1e-4
        )


def mlp(net: Weights, x: Tensor, block: str, stride: int = 1) -> Tensor:
    name = f'{block}.mlp'
    x = gelu(conv_norm(net, x, f'{name}.fc1', f'{name}.norm1'))
    x = gelu(conv_norm(net, x, f'{name}.fc2', f'{name}.norm2', stride))
    return net.norm(
        to_tokens(net.conv(x, f'{name}.fc3', 1, 0)), f'{block}.norm2', 1e-5
    )
