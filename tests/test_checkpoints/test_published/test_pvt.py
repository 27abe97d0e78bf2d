"""PVT with published weights: the published function."""

import pytest
import torch
from mmdet.registry import MODELS as MMDET_MODELS
from mmengine.config import ConfigDict
from torch import Tensor

from mmvit.apis.config import build_model, load_config
from mmvit.checkpoints import convert_published, load_pretrained
from mmvit.registry import MODELS

from .dense_naive import pvt_stage
from .naive import Weights, to_map
from .published import PVT_DEPTHS, pvt_shapes, random_weights

CONFIG = 'configs/pvt/pvt-{}_8xb128-300e_in1k.py'


def published_function(weights: dict[str, Tensor], image: Tensor) -> Tensor:
    """Logits of PVT-Small, from the paper and the weights alone."""
    net, x = Weights(weights), image
    for stage, depth in enumerate(PVT_DEPTHS['small']):
        tokens = pvt_stage(net, x, stage, depth)
        if stage < 3:
            x = to_map(tokens, image.shape[2] // (4 * 2**stage))
    return net.linear(net.norm(tokens[:, 0], 'norm', 1e-6), 'head')


def classifier(arch: str) -> torch.nn.Module:
    initial = {'tiny': 't', 'small': 's', 'medium': 'm', 'large': 'l'}[arch]
    return build_model(load_config(CONFIG.format(initial))).eval()


def test_published_weights_give_the_published_function():
    weights = random_weights(pvt_shapes('small'))
    converted = convert_published(weights, 'pvt')
    model = classifier('small')
    model.load_state_dict(converted, strict=True)
    image = torch.rand(2, 3, 224, 224)
    with torch.no_grad():
        ours = model(image, mode='tensor')
        theirs = published_function(weights, image)
    assert theirs.std() > 0.1
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('arch', list(PVT_DEPTHS))
def test_every_published_key_has_its_place(arch):
    shapes = pvt_shapes(arch)
    with torch.device('meta'):
        weights = {name: torch.empty(shape) for name, shape in shapes.items()}
        model = classifier(arch)
    converted = convert_published(weights, 'pvt')
    own = {name: value.shape for name, value in model.state_dict().items()}
    assert {name: value.shape for name, value in converted.items()} == own


def test_keys_without_a_place_are_named():
    weights = {'block1.0.norm1.weight': torch.ones(64)}
    weights['layers.0.weight'] = torch.ones(3)
    with pytest.raises(ValueError, match=r'1 of its 2 .* layers\.0\.weight'):
        convert_published(weights, 'pvt')


@pytest.mark.parametrize('size', [(224, 224), (256, 192)])
def test_maps_equal_those_of_mmdet(size, tmp_path):
    """Dense prediction: no class token, tables resized to the map."""
    weights = random_weights(pvt_shapes('tiny'))
    published, ours_file = tmp_path / 'published.pth', tmp_path / 'ours.pth'
    torch.save(weights, published)
    torch.save({'state_dict': convert_published(weights, 'pvt')}, ours_file)
    theirs = MMDET_MODELS.build(
        dict(
            type='mmdet.PyramidVisionTransformer',
            num_layers=[2, 2, 2, 2],
            init_cfg=ConfigDict(type='Pretrained', checkpoint=str(published)),
        )
    )
    theirs.init_weights()
    theirs.eval()
    ours = MODELS.build(dict(type='mmvit.PVT', arch='tiny')).eval()
    load_pretrained(ours, str(ours_file), prefix='backbone.')
    image = torch.rand(1, 3, *size)
    with torch.no_grad():
        for a, b in zip(ours(image), theirs(image)):
            assert b.std() > 0.1
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
