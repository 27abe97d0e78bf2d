"""Channels of backbone, neck and head."""

import pytest
import torch
from mmengine.registry import init_default_scope

from mmvit.apis.config import build_model
from mmvit.engine.guards.channels import check_channels
from tests.support.tiny import tiny_config


def model(task, **options):
    cfg = tiny_config(task, 'nowhere', **options)
    init_default_scope(cfg.default_scope)
    return build_model(cfg)


@pytest.mark.parametrize('task', ['cls', 'det', 'ins', 'seg'])
def test_channels_that_fit(task, fresh_runs):
    state = torch.get_rng_state()
    built = model(task)
    state = torch.get_rng_state()
    check_channels(built)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(not parameter.is_meta for parameter in built.parameters())


@pytest.mark.parametrize(
    ('changes', 'place'),
    [
        (dict(model__neck__in_channels=[8, 16, 24, 64]), 'neck'),
        (dict(model__backbone__out_indices=(1, 2, 3)), 'neck'),
        (
            dict(model__neck=None, model__decode_head__in_channels=[8] * 4),
            'decode_head',
        ),
    ],
)
def test_channels_that_differ(changes, place, fresh_runs):
    with pytest.raises(ValueError) as error:
        check_channels(model('seg', **changes))
    text = str(error.value)
    assert text.startswith(f'model.{place}.in_channels is [8, ')
    assert 'model.backbone (PVT) gives maps of [' in text


def test_a_head_without_a_neck(fresh_runs):
    fits = dict(
        model__neck=None, model__decode_head__in_channels=[8, 16, 24, 32]
    )
    check_channels(model('seg', **fits))
