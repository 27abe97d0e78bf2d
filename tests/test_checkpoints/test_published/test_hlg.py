"""HLG with weights of the published names: the function of the modules."""

import pytest
import torch

from mmvit.apis.config import build_model, load_config
from mmvit.checkpoints import convert, convert_published

from . import hlg_naive
from .published import HLG, hlg_shapes, random_weights

CONFIG = 'configs/hlg/hlg-{}_8xb128-300e_in1k.py'
PUBLISHED = [arch for arch in HLG if arch != 'mobile']


@pytest.mark.parametrize('released', [True, False])
@pytest.mark.parametrize('arch', PUBLISHED)
def test_every_published_key_has_its_place(arch, released):
    """The classification code and the dense code differ in shapes."""
    shapes = hlg_shapes(arch, released)
    with torch.device('meta'):
        weights = {name: torch.empty(shape) for name, shape in shapes.items()}
        done = convert(weights, 'hlg')
        config = load_config(done.config, done.options)
        model = build_model(config)
    assert done.config == CONFIG.format(f'{arch[0]}-released')
    assert config.model.backbone.window_bias == 'raster'
    expected = []
    if not released:
        if arch in ('medium', 'large'):
            expected.append(f'model.backbone.arch={arch}')
        expected.append('model.backbone.mlp_width=input')
    assert done.options == expected
    own = {name: value.shape for name, value in model.state_dict().items()}
    assert {name: v.shape for name, v in done.weights.items()} == own
    # Never called in stage 4
    assert len(done.left_out) == (42 if released else 0)
    assert all('block4' in n and '.spatial' in n for n in done.left_out)


def test_unknown_keys_are_told():
    weights = {
        'block1.0.pos_embed': torch.zeros(1),
        'pos_embed1': torch.zeros(1),
        'block4.0.aux_q.weight': torch.zeros(1),
    }
    with pytest.raises(ValueError, match=r'2 of its 3 .*1\.0\.pos_embed, pos'):
        convert_published(weights, 'hlg')


@pytest.mark.parametrize('raster', [True, False])
@pytest.mark.parametrize('released', [True, False])
def test_published_weights_give_the_published_function(released, raster):
    """The published function is that with `raster`."""
    weights = random_weights(hlg_shapes('mobile', released))
    for name in weights:
        if '.pos_' in name:
            # So large that every bias matters.
            weights[name] = 4 * weights[name]
    config = load_config(CONFIG.format('mobile'))
    config.model.backbone.update(
        stem_kernel_size=3,
        mlp_width='output' if released else 'input',
        window_bias='raster' if raster else 'centre',
    )
    model = build_model(config).eval()
    model.load_state_dict(convert_published(weights, 'hlg'), strict=True)
    # Maps of 28, 14, 7 and 4 tokens a side: 16, 4 and 1 windows
    image = torch.rand(1, 3, 112, 112)
    with torch.no_grad():
        ours = model(image, mode='tensor')
        theirs = hlg_naive.classifier(weights, image, 'mobile', raster)
        other = hlg_naive.classifier(weights, image, 'mobile', not raster)
    assert theirs.std() > 0.1
    assert not torch.allclose(theirs, other, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
