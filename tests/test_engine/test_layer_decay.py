"""Layer-wise learning rate decay."""

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

from mmvit.engine.guards.config_keys import check_sub_keys
from mmvit.registry import MODELS
from tests.support.config_tools import CONFIGS, config_of, model_of

RECIPE = config_of(CONFIGS / '_base_/runtime/recipes.py')._layer_decay
# The number of depths: the patch embedding, the blocks, what follows
DEPTHS = {
    'PVT': 10,
    'PaleTransformer': 24,
    'ScalableViT': 28,
    'HLGTransformer': 14,
    'FocalTransformer': 14,
    'SETRViT': 14,
}


def groups_of(model, **optim_wrapper):
    """The group of each parameter, by the parameter's name."""
    wrapper = build_optim_wrapper(model, dict(RECIPE, **optim_wrapper))
    names = {id(p): key for key, p in model.named_parameters()}
    return {
        names[id(group['params'][0])]: group
        for group in wrapper.optimizer.param_groups
    }


@pytest.mark.parametrize('name', DEPTHS)
def test_each_backbone(name):
    model = nn.Module()
    arch = dict(PVT='tiny', ScalableViT='small', SETRViT='base')
    with torch.device('meta'):
        model.backbone = MODELS.build(
            dict(type=f'mmvit.{name}', arch=arch.get(name, 'tiny'))
        )
        model.head = nn.Linear(2, 2)
    groups = groups_of(model, optimizer=dict(type='SGD', lr=2.0))
    assert list(groups) == [key for key, _ in model.named_parameters()]
    count = DEPTHS[name]
    for key, group in groups.items():
        depth = count - 1
        if key.startswith('backbone.'):
            depth = model.backbone.get_layer_depth(key, 'backbone.')[0]
        assert group['lr'] == pytest.approx(2 * 0.8 ** (count - 1 - depth))
    rates = {group['lr'] for group in groups.values()}
    assert min(rates) == pytest.approx(2 * 0.8 ** (count - 1))
    assert len(rates) >= count - 1


def test_the_recipe_goes_on_top_of_a_config():
    path = CONFIGS / 'setr/setr-pup_vit-b_8xb1-40k_cityscapes-768x768.py'
    cfg = config_of(path).copy()
    cfg.merge_from_dict(dict(optim_wrapper=RECIPE))
    check_sub_keys(cfg)
    groups = groups_of(model_of(path), **cfg.optim_wrapper)
    lr = cfg.optim_wrapper.optimizer.lr
    heads = {g['lr'] for key, g in groups.items() if 'head' in key}
    assert heads == {10 * lr}, "the config's own factor"
    first = groups['backbone.patch_embed.weight']['lr']
    assert first == pytest.approx(lr * 0.8**13)


@pytest.mark.parametrize('rate', [None, 0, 1.5])
def test_a_wrong_rate(rate):
    with pytest.raises(ValueError, match=f'layer_decay_rate is {rate}'):
        groups_of(
            nn.Linear(1, 1),
            optimizer=dict(type='SGD', lr=1.0),
            paramwise_cfg=dict(layer_decay_rate=rate),
        )


def test_a_backbone_that_tells_no_depths():
    model = nn.Module()
    model.backbone = nn.Linear(2, 2)
    with pytest.raises(TypeError, match='backbone Linear'):
        groups_of(model, optimizer=dict(type='SGD', lr=1.0))
