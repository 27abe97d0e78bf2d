"""Compiled blocks serve images of many sizes."""

import copy

import pytest
import torch
from torch._dynamo.utils import counters

from mmvit.engine.compilation import compile_model
from tests.test_models.test_backbones.test_contract import BACKBONES, build_any

SIZES = [
    *((256, 256), (256, 320), (288, 352), (250, 333), (320, 256)),
    *((233, 400), (300, 275), (352, 240), (281, 377), (256, 416)),
]
# Two stages have all kinds of blocks, HLG's first has both of its kinds; four
# would take minutes to trace.
STAGES = {'SETRViT': {}, 'HLGTransformer': dict(out_indices=(0,))}


@pytest.mark.slow
@pytest.mark.parametrize('name', [*BACKBONES, 'SETRViT'])
def test_many_sizes_take_few_graphs(name):
    """However many sizes come, a block is compiled three times at most."""
    torch.compiler.reset()
    counters.clear()
    model = build_any(name, **STAGES.get(name, dict(out_indices=(0, 1))))
    model.eval()
    eager = copy.deepcopy(model)
    compile_model(model, backend='eager', fullgraph=True, dynamic=None)
    graphs = []
    for size in SIZES:
        image = torch.rand(2, 3, *size)
        with torch.no_grad():
            outs, expected = model(image), eager(image)
        torch.testing.assert_close(outs, expected, rtol=1e-4, atol=1e-4)
        graphs.append(counters['stats']['unique_graphs'])
    assert graphs[-1] <= 3 * graphs[0], graphs
