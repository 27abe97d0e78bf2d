"""SETR's decoders against mmseg's, where both describe the same network."""

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS as MMSEG
from mmseg.utils import register_all_modules
from torch import Tensor, nn

from mmvit.checkpoints.published.setr import convert
from mmvit.models.decode_heads import (
    SETRMLAHead,
    SETRNaiveHead,
    SETRPUPHead,
)

BN = dict(type='BN')
SIZES = [(6, 6), (5, 8)]


def randomise(module: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for name, value in module.state_dict().items():
        if name.endswith('running_var'):
            nn.init.uniform_(value, 0.5, 2)
        elif value.is_floating_point():
            nn.init.normal_(value, std=0.3)
    return module.eval()


def theirs(kind: str, **cfg) -> nn.Module:
    register_all_modules(init_default_scope=False)
    return randomise(MMSEG.build(dict(type=f'mmseg.{kind}', **cfg)))


def converted(**parts: nn.Module) -> dict[str, Tensor]:
    """The decode head's weights, converted as those of a segmentor."""
    weights = {'backbone.layers.0.ln1.weight': torch.ones(1)}
    for part, module in parts.items():
        for name, value in module.state_dict().items():
            weights[f'{part}.{name}'] = value
    done = convert(weights)
    assert not done.unknown
    return {
        name.removeprefix('decode_head.'): value
        for name, value in done.weights.items()
        if name.startswith('decode_head.')
    }


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize(
    ('kind', 'shape'),
    [
        (SETRNaiveHead, dict(num_convs=1, up_scale=4, kernel_size=1)),
        (SETRPUPHead, dict(num_convs=4, up_scale=2, kernel_size=3)),
        (SETRPUPHead, dict(num_convs=2, up_scale=4, kernel_size=3)),
        (SETRPUPHead, dict(num_convs=1, up_scale=4, kernel_size=3)),
    ],
    ids=['naive', 'pup', '2step', 'auxiliary'],
)
def test_upsampling_against_mmseg(kind, shape, size):
    cfg = dict(in_channels=24, channels=8, num_classes=5, norm_cfg=BN)
    reference = theirs('SETRUPHead', dropout_ratio=0, **cfg, **shape)
    own = (
        {key: shape[key] for key in ('up_scale',)}
        if kind is SETRNaiveHead
        else shape
    )
    head = kind(**cfg, **own).eval()
    head.load_state_dict(converted(decode_head=reference), strict=True)
    inputs = [torch.rand(2, 24, *size)]
    with torch.no_grad():
        torch.testing.assert_close(
            head(inputs), reference(inputs), rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('num_layers', [2, 4])
def test_aggregation_against_mmseg(num_layers, size):
    neck = theirs(
        'MLANeck',
        in_channels=[24] * num_layers,
        out_channels=16,
        norm_cfg=BN,
        act_cfg=dict(type='ReLU'),
    )
    cfg = dict(
        channels=8 * num_layers,
        in_index=list(range(num_layers)),
        num_classes=5,
        norm_cfg=BN,
    )
    reference = theirs(
        'SETRMLAHead',
        in_channels=[16] * num_layers,
        mla_channels=8,
        dropout_ratio=0,
        **cfg,
    )
    head = SETRMLAHead([24] * num_layers, stream_channels=16, **cfg).eval()
    head.load_state_dict(
        converted(neck=neck, decode_head=reference), strict=True
    )
    inputs = [torch.rand(2, 24, *size) for _ in range(num_layers)]
    with torch.no_grad():
        torch.testing.assert_close(
            head(inputs), reference(neck(inputs)), rtol=1e-5, atol=1e-5
        )


def test_naive_is_two_convolutions_and_one_enlargement():
    """The paper's decoder, written out; mmseg's enlarges by 4 twice."""
    head = randomise(SETRNaiveHead(8, 6, num_classes=3, norm_cfg=BN))
    x = torch.rand(1, 8, 4, 5)
    normed = F.layer_norm(
        x.permute(0, 2, 3, 1), (8,), head.norm.weight, head.norm.bias, 1e-6
    )
    conv, bn = head.steps[0][0].conv, head.steps[0][0].bn
    hidden = normed @ conv.weight[:, :, 0, 0].T
    hidden = (hidden - bn.running_mean) / (bn.running_var + 1e-5).sqrt()
    hidden = (hidden * bn.weight + bn.bias).relu()
    expected = hidden @ head.conv_seg.weight[:, :, 0, 0].T
    expected = (expected + head.conv_seg.bias).permute(0, 3, 1, 2)
    with torch.no_grad():
        torch.testing.assert_close(head([x]), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ('head', 'stride'),
    [
        (SETRNaiveHead(8, 6, num_classes=3), 1),
        (SETRPUPHead(8, 6, num_classes=3), 16),
        (SETRPUPHead(8, 6, num_convs=3, num_classes=3), 8),
        (SETRPUPHead(8, 6, num_convs=2, up_scale=4, num_classes=3), 16),
    ],
)
def test_enlargement_and_gradients(head, stride):
    out = head([torch.rand(2, 8, 3, 5)])
    assert out.shape == (2, 3, 3 * stride, 5 * stride)
    out.square().mean().backward()
    assert all(p.grad.isfinite().all() for p in head.parameters())


def test_deeper_layers_reach_shallower_streams_and_not_the_reverse():
    head = randomise(
        SETRMLAHead([8, 8], 8, (0, 1), stream_channels=4, num_classes=3)
    )
    head.conv_seg = nn.Identity()
    shallow, deep = torch.rand(2, 1, 8, 3, 3)
    with torch.no_grad():
        out = head([shallow, deep])
        deep_changed = head([shallow, deep.flip(1)])
        shallow_changed = head([shallow.flip(1), deep])
    # The deepest layer's channels come first.
    torch.testing.assert_close(shallow_changed[:, :4], out[:, :4])
    assert not torch.allclose(shallow_changed[:, 4:], out[:, 4:])
    assert not torch.allclose(deep_changed[:, 4:], out[:, 4:])


@pytest.mark.parametrize('aligned', [None, False, True])
def test_enlargement_of_the_release_is_aligned(aligned):
    head = SETRMLAHead(
        [8, 8], 8, (0, 1), num_classes=3, up_align_corners=aligned
    )
    assert all(s.upsample.align_corners == bool(aligned) for s in head.streams)
    assert not head.align_corners


def test_classifier_of_the_release_sees_its_neighbours():
    head = SETRMLAHead([8, 8], 8, (0, 1), num_classes=3, cls_kernel_size=3)
    assert head.conv_seg.weight.shape == (3, 8, 3, 3)
    out = head([torch.rand(2, 8, 3, 5)] * 2)
    assert out.shape == (2, 3, 12, 20)


def test_errors():
    for wrong in (dict(num_convs=0), dict(up_scale=0), dict(kernel_size=2)):
        with pytest.raises(ValueError, match='must be'):
            SETRPUPHead(8, 6, num_classes=3, **wrong)
    with pytest.raises(ValueError, match='channels 7'):
        SETRMLAHead([8, 8], 7, (0, 1), num_classes=3)
    with pytest.raises(ValueError, match='cls_kernel_size 2'):
        SETRMLAHead([8, 8], 8, (0, 1), num_classes=3, cls_kernel_size=2)
    with pytest.raises(TypeError, match='num_conv'):
        SETRPUPHead(8, 6, num_classes=3, num_conv=4)


def test_backbones_need_no_mmseg():
    code = (
        "import sys; sys.modules['mmseg'] = None; import mmvit.models; "
        "assert 'mmvit.models.decode_heads' not in sys.modules; "
        "assert not hasattr(mmvit.models, 'SETRPUPHead'); mmvit.models.SETRViT"
    )
    subprocess.run([sys.executable, '-c', code], check=True)
