"""What every registered backbone keeps to.

A new backbone is tested by being registered, once `TINY` has an arch for it.
"""

import copy
import math

import pytest
import torch
from mmengine.runner.checkpoint import load_state_dict
from torch import nn

from mmvit.models.backbones import SETRViT
from mmvit.models.backbones.base import Backbone
from mmvit.models.backbones.pyramid import PyramidBackbone
from mmvit.registry import MODELS

MODELS.import_from_location()
BACKBONES = sorted(
    name
    for name, cls in MODELS.module_dict.items()
    if isinstance(cls, type) and issubclass(cls, PyramidBackbone)
)

# A small arch for each; stage 1 has two blocks, since a second may differ.
TINY = {
    'PVT': dict(
        embed_dims=(8, 16, 24, 32),
        depths=(2, 1, 1, 1),
        num_heads=(1, 2, 3, 4),
        mlp_ratios=(2, 2, 2, 2),
        sr_ratios=(8, 4, 2, 1),
    ),
    'PaleTransformer': dict(
        embed_dims=(8, 16, 24, 32),
        depths=(2, 1, 1, 1),
        num_heads=(1, 2, 3, 4),
        mlp_ratios=(2, 2, 2, 2),
        pale_sizes=(7, 7, 7, 7),
    ),
    'ScalableViT': dict(
        embed_dims=(8, 16, 24, 32),
        depths=(2, 1, 1, 1),
        num_heads=(1, 2, 3, 4),
        mlp_ratios=(2, 2, 2, 2),
        sr_ratios=(8, 4, 2, 1),
        channel_ratios=(1.25, 2.0, 0.5, 1.0),
    ),
    'HLGTransformer': dict(
        embed_dims=(64, 64, 96, 128),
        depths=(2, 1, 1, 1),
        num_heads=(1, 2, 3, 4),
        mlp_ratios=(2, 2, 2, 2),
    ),
    'FocalTransformer': dict(
        embed_dims=(8, 16, 24, 32),
        depths=(2, 1, 1, 1),
        num_heads=(1, 2, 3, 4),
        mlp_ratios=(2, 2, 2, 2),
        window_sizes=(4, 4, 3, 3),
        focal_windows=((1, 2, 4), (1, 4), (1, 3), (1, 3)),
        focal_regions=((8, 6, 3), (6, 3), (5, 3), (3, 3)),
    ),
}

# Parameters of the whole ImageNet classifier, in millions, that the papers
# print or that were counted where the paper contradicts itself.
CLASSIFIERS = {
    'PVT': {
        'tiny': 13.23,
        'small': 24.49,
        'medium': 44.21,
        'large': 61.37,
        'small-wide': 46.82,
    },
    'PaleTransformer': {'tiny': 21.76, 'small': 48.33, 'base': 85.35},
    'ScalableViT': {'small': 32.00, 'base': 81.88, 'large': 109.29},
    'HLGTransformer': {
        'mobile': 4.32,
        'tiny': 10.98,
        'small': 24.16,
        'medium': 47.68,
        'large': 84.12,
        'medium-released': 39.84,
        'large-released': 70.24,
    },
    # Without the second biases of doubled keys, some 0.2 % less than the
    # paper.
    'FocalTransformer': {
        'tiny': 28.83,
        'small': 51.00,
        'base': 89.63,
        'large': 199.33,
    },
}
CLASSIFIER_ARGS = {
    'PVT': dict(with_cls_token=True),
    'PaleTransformer': {},
    'ScalableViT': dict(final_norm=True),
    'HLGTransformer': dict(final_norm=True),
    'FocalTransformer': dict(out_indices=(3,)),
}


# An attention to windows has no gradient where there is only one window.
GRADIENT_SIZES = {'HLGTransformer': (128, 160)}


def linear_head(width: int) -> int:
    return (width + 1) * 1000


def two_layer_head(width: int) -> int:
    return (width + 1) * 4096 + 2 * 4096 + 4097 * 1000


HEADS = {
    'PVT': linear_head,
    'PaleTransformer': linear_head,
    'ScalableViT': two_layer_head,
    'HLGTransformer': linear_head,
    'FocalTransformer': linear_head,
}


def build(name: str, **kwargs) -> PyramidBackbone:
    torch.manual_seed(1)
    model = MODELS.build(dict(type=f'mmvit.{name}', arch=TINY[name], **kwargs))
    # Away from the starting point, where many parts do nothing yet.
    for param in model.parameters():
        nn.init.normal_(param, std=0.2)
    return model


def build_any(name: str, **kwargs) -> Backbone:
    """Build a pyramid, or SETR's encoder."""
    torch.manual_seed(0)
    if name != 'SETRViT':
        return build(name, **kwargs)
    arch = dict(embed_dims=16, depth=2, num_heads=2, mlp_ratio=2)
    kwargs.setdefault('img_size', 64)
    return SETRViT(arch, **kwargs)


def test_all_are_covered():
    assert BACKBONES
    assert set(BACKBONES) == set(TINY) == set(CLASSIFIERS)


@pytest.mark.parametrize('size', [(64, 64), (65, 97), (33, 65), (32, 160)])
@pytest.mark.parametrize('name', BACKBONES)
def test_outputs(name, size):
    model = build(name).eval()
    with torch.no_grad():
        outs = model(torch.rand(2, 3, *size))
    expected = []
    height, width = size
    for stage, channels in enumerate(TINY[name]['embed_dims']):
        stride = 2 if stage else 4
        height, width = math.ceil(height / stride), math.ceil(width / stride)
        expected.append((2, channels, height, width))
    assert [tuple(out.shape) for out in outs] == expected
    # mmcv's RoIAlign misreads all other orders in memory.
    assert all(out.is_contiguous() for out in outs)
    assert all(out.isfinite().all() for out in outs)


@pytest.mark.parametrize('name', BACKBONES)
def test_images_of_a_batch_do_not_mix(name):
    model = build(name).eval()
    images = torch.rand(3, 3, 65, 97)
    with torch.no_grad():
        together, alone = model(images), model(images[1:2])
    for a, b in zip(together, alone):
        torch.testing.assert_close(a[1:2], b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('name', BACKBONES)
def test_is_one_graph(name, training):
    torch.compiler.reset()
    model = build(name).train(training)
    compiled = torch.compile(model, backend='eager', fullgraph=True)
    image = torch.rand(2, 3, 65, 97)
    with torch.set_grad_enabled(training):
        for a, b in zip(compiled(image), model(image)):
            torch.testing.assert_close(a, b)


@pytest.mark.parametrize('with_cp', [False, True])
@pytest.mark.parametrize('name', BACKBONES)
def test_every_parameter_gets_a_gradient(name, with_cp):
    model = build(name, with_cp=with_cp, drop_path_rate=0.1).train()
    # Each stage's output alone would leave later stages without.
    size = GRADIENT_SIZES.get(name, (64, 96))
    sum(
        out.square().mean() for out in model(torch.rand(4, 3, *size))
    ).backward()
    for key, param in model.named_parameters():
        assert param.grad is not None, key
        assert param.grad.isfinite().all(), key
        assert param.grad.abs().sum() > 0, key


@pytest.mark.parametrize('name', BACKBONES)
def test_checkpointing_changes_nothing(name):
    image = torch.rand(2, 3, 64, 96)
    grads, statistics = [], []
    for with_cp in (False, True):
        model = build(name, with_cp=with_cp, drop_path_rate=0.5).train()
        torch.manual_seed(1)
        sum(out.sum() for out in model(image)).backward()
        grads.append([param.grad for param in model.parameters()])
        statistics.append(
            {k: v for k, v in model.named_buffers() if 'running' in k}
        )
    torch.testing.assert_close(*grads)
    # The second run of a block is no second batch.
    torch.testing.assert_close(*statistics)


@pytest.mark.parametrize('name', BACKBONES)
def test_out_indices(name):
    image = torch.rand(1, 3, 64, 64)
    full = build(name).eval()
    part = build(name, out_indices=(2, 1)).eval()
    part.load_state_dict(full.state_dict(), strict=False)
    with torch.no_grad():
        torch.testing.assert_close(part(image), full(image)[1:3])
    assert len(part.stages) == 3, 'a stage without an output is not built'
    for wrong in ((), (4,), (-1,)):
        with pytest.raises(ValueError, match='out_indices'):
            build(name, out_indices=wrong)


@pytest.mark.parametrize('frozen_stages', [-1, 0, 2, 4])
@pytest.mark.parametrize('name', BACKBONES)
def test_frozen_stages(name, frozen_stages):
    model = build(name, frozen_stages=frozen_stages)
    assert model.train() is model
    for index, stage in enumerate(model.stages):
        for part in ('downsample', 'blocks'):
            frozen = index < frozen_stages or (
                index == 0 and part == 'downsample' and frozen_stages == 0
            )
            module = getattr(stage, part)
            assert module.training is not frozen
            assert all(
                param.requires_grad is not frozen
                for param in module.parameters()
            )
    with pytest.raises(ValueError, match='frozen_stages'):
        build(name, frozen_stages=5)


@pytest.mark.parametrize('name', BACKBONES)
def test_modes_return_the_backbone(name):
    model = build(name)
    assert model.eval() is model and not model.training
    assert model.train() is model and model.training


@pytest.mark.parametrize('name', BACKBONES)
def test_weights_of_another_image_size(name):
    source = build(name)
    target = MODELS.build(
        dict(type=f'mmvit.{name}', arch=TINY[name], **_other_size(name))
    )
    state_dict = copy.deepcopy(source.state_dict())
    load_state_dict(target, state_dict, strict=True)
    image = torch.rand(1, 3, 96, 64)
    with torch.no_grad():
        assert all(out.isfinite().all() for out in target.eval()(image))


def _other_size(name: str) -> dict:
    # Only those with a learned table for the whole map have an image size.
    return dict(img_size=160) if name == 'PVT' else {}


@pytest.mark.parametrize(
    ('name', 'arch'),
    [(name, arch) for name in BACKBONES for arch in CLASSIFIERS[name]],
)
def test_parameter_counts(name, arch):
    with torch.device('meta'):
        model = MODELS.build(
            dict(type=f'mmvit.{name}', arch=arch, **CLASSIFIER_ARGS[name])
        )
    head = HEADS[name](model.embed_dims[-1])
    count = sum(param.numel() for param in model.parameters()) + head
    assert round(count / 1e6, 2) == CLASSIFIERS[name][arch]


@pytest.mark.parametrize('name', BACKBONES)
def test_every_named_size_is_counted(name):
    cls = MODELS.get(name)
    assert set(cls.arch_zoo) == set(CLASSIFIERS[name])


@pytest.mark.parametrize('name', BACKBONES)
def test_layer_depths(name):
    model = build(name)
    depths = {
        key: model.get_layer_depth(f'backbone.{key}', 'backbone.')
        for key, _ in model.named_parameters()
    }
    number = sum(TINY[name]['depths']) + 2
    assert all(
        0 <= depth < total == number for depth, total in depths.values()
    )
    blocks = [key for key in depths if '.blocks.' in key]
    first = min(depths[key][0] for key in blocks)
    last = max(depths[key][0] for key in blocks)
    assert (first, last) == (1, number - 2)
    assert all(
        depths[key][0] == 0
        for key in depths
        if key.startswith('stages.0.downsample.')
    )


@pytest.mark.parametrize('name', BACKBONES)
def test_no_weight_is_drawn_far_out(name, monkeypatch):
    model = build(name)
    # The rarest draw, of which mmengine's TruncNormal makes a weight of -2
    monkeypatch.setattr(
        torch.Tensor, 'uniform_', lambda self, low=0, high=1: self.fill_(low)
    )
    model.init_weights()
    for module in model.modules():
        if isinstance(module, nn.Linear):
            assert module.weight.abs().max() < 0.2


@pytest.mark.parametrize('name', BACKBONES)
def test_arch_errors(name):
    with pytest.raises(ValueError, match=next(iter(CLASSIFIERS[name]))):
        MODELS.build(dict(type=f'mmvit.{name}', arch='enormous'))
    for wrong in (
        {**TINY[name], 'widths': (1, 1, 1, 1)},
        {key: TINY[name][key] for key in list(TINY[name])[1:]},
        {**TINY[name], 'depths': (1, 1, 1)},
        {**TINY[name], 'depths': 4},
        {**TINY[name], 'depths': (1, 1, 1, 0)},
        {**TINY[name], 'depths': (1, 1, 1, '1')},
    ):
        with pytest.raises(ValueError, match='arch'):
            MODELS.build(dict(type=f'mmvit.{name}', arch=wrong))


@pytest.mark.parametrize('name', BACKBONES)
def test_overrides(name):
    model = build(name, overrides=dict(depths=(1, 2, 1, 1)))
    assert [len(stage.blocks) for stage in model.stages] == [1, 2, 1, 1]
    assert TINY[name]['depths'] == (2, 1, 1, 1)
    with pytest.raises(ValueError, match='arch'):
        build(name, overrides=dict(depht=(1, 1, 1, 1)))


@pytest.mark.parametrize('name', BACKBONES)
def test_too_small_image(name):
    with pytest.raises(ValueError, match='3x40'):
        build(name)(torch.rand(1, 3, 3, 40))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize('name', BACKBONES)
def test_gpu_agrees_with_cpu(name):
    model = build(name).eval()
    image = torch.rand(2, 3, 65, 97)
    with torch.no_grad():
        on_cpu = model(image)
        on_gpu = model.cuda()(image.cuda())
    for a, b in zip(on_cpu, on_gpu):
        torch.testing.assert_close(a, b.cpu(), rtol=1e-3, atol=1e-3)
