"""What cannot be shared out is refused; test_distributed.py trains."""

from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.optim import OptimWrapper
from torch import nn

from mmvit.engine import sharding
from tests.support.config_tools import CONFIGS, config_of

RECIPE = config_of(CONFIGS / '_base_/runtime/recipes.py')._fsdp


def runner_of(*hooks, optim_wrapper=None, **cfg):
    wrapper = OptimWrapper(torch.optim.SGD(nn.Linear(1, 1).parameters()))
    return SimpleNamespace(
        cfg=Config({'model_wrapper_cfg': dict(RECIPE), **cfg}),
        hooks=hooks,
        optim_wrapper=optim_wrapper or wrapper,
    )


def test_the_recipe_asks_for_it():
    assert sharding.is_asked_for(runner_of().cfg)
    assert not sharding.is_asked_for(Config(dict(model_wrapper_cfg=None)))
    sharding.check(runner_of())


@pytest.mark.parametrize(
    ('runner', 'message'),
    [
        (runner_of(EMAHook()), 'EMAHook does not work'),
        (runner_of(compile=True), 'compile does not work'),
        (
            runner_of(model_wrapper_cfg=dict(RECIPE, cpu_offload=True)),
            'model_wrapper_cfg.cpu_offload',
        ),
        (runner_of(optim_wrapper=[1]), 'needs a single optimizer'),
    ],
)
def test_refusals(runner, message):
    with pytest.raises(ValueError, match=message):
        sharding.check(runner)


@pytest.fixture
def group():
    """A process group of this process alone."""
    store = dist.HashStore()
    dist.init_process_group('gloo', store=store, rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def test_optimizer_states_follow_and_states_are_whole(group):
    def step(model, optimizer):
        model(torch.ones(3, 4)).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    pairs = []
    for _ in range(2):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
        model[0].is_compiled_alone = True
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
        step(model, optimizer)
        pairs.append((model, optimizer))
    shared, optimizer = pairs[1]
    text = sharding.share_out(shared, optimizer)
    assert text.startswith('30 parameters are shared out over 1 processes')
    for pair in pairs:
        step(*pair)
    wrapper = OptimWrapper(optimizer)
    with sharding.whole_states(shared, wrapper):
        weights, states = shared.state_dict(), wrapper.state_dict()['state']
    plain, other = pairs[0]
    torch.testing.assert_close(weights, plain.state_dict())
    torch.testing.assert_close(states, other.state_dict()['state'])
    assert type(shared.state_dict()['0.weight']) is not torch.Tensor
