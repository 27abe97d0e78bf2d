"""Graphs of the backbones for images of any height and width."""

import pytest
import torch

from mmvit.apis.export import trace
from mmvit.apis.export_models import for_export
from mmvit.models.layers import LocalGlobalAttention
from tests.test_models.test_backbones.test_export import ALL, small


# One attention of HLG takes as long to trace as two stages of the others.
@pytest.mark.slow
@pytest.mark.parametrize('name', [n for n in ALL if n != 'HLGTransformer'])
def test_a_graph_of_any_height_and_width(name):
    model = for_export(small(name))
    program = trace(model, (160, 192), ['hw']).module()
    # Smaller, larger, multiples of all windows and strides
    for size in ((128, 128), (160, 256), (224, 224)):
        images = torch.rand(1, 3, *size)
        with torch.no_grad():
            torch.testing.assert_close(
                program(images), model(images), rtol=1e-4, atol=1e-4
            )


@pytest.mark.slow
@pytest.mark.parametrize('windows', ['plain', 'dilated'])
def test_hlgs_attention_on_maps_of_any_size(windows):
    torch.manual_seed(0)
    attn = LocalGlobalAttention(32, 1, windows=windows).eval()
    height, width = (torch.export.Dim(n, min=2, max=128) for n in 'hw')
    with torch.no_grad():
        program = torch.export.export(
            attn,
            (torch.rand(1, 16, 24, 32),),
            dynamic_shapes=({1: 8 * height, 2: 8 * width},),
            strict=False,
        ).module()
        for size in ((16, 24), (56, 64), (64, 24)):
            x = torch.rand(1, *size, 32)
            torch.testing.assert_close(program(x), attn(x))


@pytest.mark.parametrize('relative', [False, True])
def test_setr_resizes_its_positions_in_the_graph(relative):
    """The size that is traced is that of the tables."""
    model = for_export(small('SETRViT', 128, relative_position=relative))
    for name, param in model.named_parameters():
        if name.endswith('table'):
            torch.nn.init.normal_(param)
    program = trace(model, (128, 128), ['hw']).module()
    for size in ((128, 128), (128, 256), (160, 192)):
        images = torch.rand(1, 3, *size)
        with torch.no_grad():
            torch.testing.assert_close(program(images), model(images))
