"""Code that inductor makes, compared with eager."""

import copy
import shutil

import pytest
import torch
from torch import Tensor, nn

from mmvit.engine.compilation import compile_model
from tests.test_models.test_backbones.test_contract import build_any

needs_compiler = pytest.mark.skipif(
    not shutil.which('g++'), reason='inductor needs g++'
)


def step(model: nn.Module, image: Tensor) -> tuple[list, dict]:
    """A training step: outputs, and gradients by name."""
    model.zero_grad()
    outs = model(image)
    sum(out.square().mean() for out in outs).backward()
    grads = {name: p.grad for name, p in model.named_parameters()}
    return list(outs), grads


def check_first_stage(name: str, **kwargs) -> None:
    """The compiled blocks of the first stage train as eager ones do.

    All stages would take minutes to compile.
    """
    torch.compiler.reset()
    model = build_any(name, out_indices=(0,), **kwargs).train()
    eager = copy.deepcopy(model)
    image = torch.rand(2, 3, 65, 97)
    # One process compiles: the other cores run other tests.
    with torch._inductor.config.patch(compile_threads=1):
        compile_model(model, fullgraph=True)
        outs, grads = step(model, image)
    expected = step(eager, image)
    torch.testing.assert_close(outs, expected[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(grads, expected[1], rtol=1e-4, atol=1e-4)
