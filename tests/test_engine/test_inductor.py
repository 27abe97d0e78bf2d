"""Code that inductor makes, on a CPU."""

import copy
import shutil

import pytest
import torch
from torch import Tensor, nn

from mmvit.engine.compilation import compile_model
from tests.test_models.test_backbones.test_contract import BACKBONES, build_any


def step(model: nn.Module, image: Tensor) -> tuple[list, dict]:
    """A training step: outputs, and gradients by name."""
    model.zero_grad()
    outs = model(image)
    sum(out.square().mean() for out in outs).backward()
    grads = {name: p.grad for name, p in model.named_parameters()}
    return list(outs), grads


def compare(compiled: nn.Module, eager: nn.Module, size: tuple) -> None:
    """Outputs and gradients of a training step agree."""
    image = torch.rand(2, 3, *size)
    (outs, grads), expected = step(compiled, image), step(eager, image)
    torch.testing.assert_close(outs, expected[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(grads, expected[1], rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which('g++'), reason='inductor needs g++')
@pytest.mark.parametrize('name', [*BACKBONES, 'SETRViT'])
def test_inductor(name):
    """Code that inductor makes gives the outputs and gradients of eager."""
    torch.compiler.reset()
    # Both kinds of block of the first stage; all stages would take minutes.
    model = build_any(name, out_indices=(0,)).train()
    eager = copy.deepcopy(model)
    compile_model(model, fullgraph=True)
    compare(model, eager, (65, 97))
