import pytest
import torch
from torch import nn

from mmvit.models import HLGTransformer
from mmvit.models.layers import FullAttention, LocalGlobalAttention

ARCH = dict(
    embed_dims=(32, 32, 64, 64),
    depths=(2, 2, 2, 1),
    num_heads=(1, 2, 2, 4),
    mlp_ratios=(2, 2, 2, 2),
)


def attentions(model: HLGTransformer) -> list[list[nn.Module]]:
    return [[block.attn for block in stage.blocks] for stage in model.stages]


def test_plain_and_dilated_windows_alternate():
    *first, last = attentions(HLGTransformer(ARCH))
    for stage in first:
        assert all(isinstance(attn, LocalGlobalAttention) for attn in stage)
        assert [attn.windows for attn in stage] == [
            ('plain', 'dilated')[index % 2] for index in range(len(stage))
        ]
    assert all(isinstance(attn, FullAttention) for attn in last)


def test_dilations_are_those_of_table_1():
    stages = attentions(HLGTransformer(ARCH))[:3]
    for stage, side, expected in zip(stages, (56, 28, 14), (8, 4, 2)):
        grid = stage[1].build_grid((side, side))
        assert grid.rows.dilation == grid.columns.dilation == expected
        assert stage[0].build_grid((side, side)).rows.dilation == 1


@pytest.mark.parametrize(
    ('dilation', 'expected'), [(8, (8, 4, 2)), (7, (7, 4, 2)), (5, (5, 3, 2))]
)
def test_fixed_dilation_halves(dilation, expected):
    stages = attentions(HLGTransformer(ARCH, dilation=dilation))[:3]
    assert tuple(stage[1].dilation for stage in stages) == expected
    grid = stages[0][1].build_grid((100, 30))
    assert (grid.rows.dilation, grid.columns.dilation) == (dilation, dilation)


def test_first_block_of_each_stage_halves():
    model = HLGTransformer(ARCH)
    for stage in model.stages:
        halving = [
            not isinstance(block.shortcut, nn.Identity)
            for block in stage.blocks
        ]
        assert halving == [True] + [False] * (len(stage.blocks) - 1)
        conv = stage.blocks[0].shortcut.conv
        assert conv.groups == conv.in_channels


@pytest.mark.parametrize(
    'options',
    [
        dict(windows=('plain', 'plain')),
        dict(windows=('dilated', 'plain')),
        dict(windows=None),
        dict(dilation=2),
        dict(window_embedding='max'),
        dict(window_embedding='dwconv'),
        dict(stem_kernel_size=3),
        dict(mlp_width='output'),
        dict(window_bias='raster'),
    ],
    ids=str,
)
def test_options_change_the_function(options):
    image = torch.rand(1, 3, 65, 129)
    outs = []
    for kwargs in ({}, options):
        torch.manual_seed(0)
        model = HLGTransformer(ARCH, **kwargs)
        # The same draws for what both have.
        for name, param in model.named_parameters():
            torch.manual_seed(sum(map(ord, name)))
            nn.init.normal_(param, std=0.3)
        with torch.no_grad():
            outs.append(model.eval()(image)[-1])
    assert outs[0].shape == outs[1].shape
    assert not torch.allclose(*outs)


def test_default_dilation_at_224_is_8():
    image = torch.rand(1, 3, 224, 224)
    outs = []
    for dilation in (None, 8):
        torch.manual_seed(0)
        model = HLGTransformer(ARCH, dilation=dilation).eval()
        with torch.no_grad():
            outs.append(model(image)[-1])
    torch.testing.assert_close(*outs)


def test_published_stem_has_the_parameters_of_a_3x3_convolution():
    counts = []
    for kernel in (1, 3):
        with torch.device('meta'):
            model = HLGTransformer('small', stem_kernel_size=kernel)
        counts.append(sum(param.numel() for param in model.parameters()))
    assert counts[1] - counts[0] == 8 * 96**2


@pytest.mark.parametrize('mlp_width', ['input', 'output'])
def test_hidden_channels_follow_the_input_or_the_output(mlp_width):
    model = HLGTransformer(ARCH, mlp_width=mlp_width)
    hidden = [
        [block.mlp.fc2.in_channels for block in stage.blocks]
        for stage in model.stages
    ]
    # Stage 3 has 64 channels from 32.
    third = [64, 128] if mlp_width == 'input' else [128, 128]
    assert hidden == [[64, 64], [64, 64], third, [128]]


def test_released_archs_are_shallower():
    zoo = HLGTransformer.arch_zoo
    for size in ('medium', 'large'):
        released = dict(zoo[f'{size}-released'])
        assert zoo[size]['depths'] == (2, 2, 18, 2)
        assert released.pop('depths') == (2, 2, 14, 2)
        assert released.items() <= zoo[size].items()


def test_final_norm():
    model = HLGTransformer(ARCH, final_norm=True).eval()
    with torch.no_grad():
        out = model(torch.rand(1, 3, 64, 64))[-1]
    mean = out.mean(1)
    torch.testing.assert_close(mean, torch.zeros_like(mean), atol=1e-5, rtol=0)


def test_errors():
    with pytest.raises(ValueError, match='alternate'):
        HLGTransformer(ARCH, windows='plain')
    with pytest.raises(ValueError, match="'dilated' or None"):
        HLGTransformer(ARCH, windows=('plain', 'shifted'))
    with pytest.raises(ValueError, match='1 or more'):
        HLGTransformer(ARCH, dilation=0)
    with pytest.raises(ValueError, match="mlp_width 'both' must be"):
        HLGTransformer(ARCH, mlp_width='both')
    with pytest.raises(ValueError, match="window_bias 'corner' must be"):
        HLGTransformer(ARCH, window_bias='corner')
