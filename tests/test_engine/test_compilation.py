"""torch.compile, block by block."""

import copy
import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters

from mmvit.engine import GuardedRunner
from mmvit.engine.compilation import compile_model
from mmvit.models.backbones import SETRViT
from tests.support.tiny import tiny_config
from tests.test_models.test_backbones.test_contract import BACKBONES, build

# On smaller images, stage 4 of Pale has a single group of rows: one more
# kind of map.
SIZES = [
    *((256, 256), (256, 320), (288, 352), (250, 333), (320, 256)),
    *((233, 400), (300, 275), (352, 240), (281, 377), (256, 416)),
]


def build_any(name: str) -> nn.Module:
    torch.manual_seed(0)
    if name != 'SETRViT':
        return build(name)
    arch = dict(embed_dims=16, depth=2, num_heads=2, mlp_ratio=2)
    return SETRViT(arch, img_size=64)


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
@pytest.mark.parametrize('name', [*BACKBONES, 'SETRViT'])
def test_many_sizes_take_few_graphs(name):
    """However many sizes come, a block is compiled three times at most."""
    torch.compiler.reset()
    counters.clear()
    model = build_any(name).train()
    eager = copy.deepcopy(model)
    compile_model(model, backend='aot_eager', fullgraph=True)
    graphs = []
    for size in SIZES:
        compare(model, eager, size)
        graphs.append(counters['stats']['unique_graphs'])
    assert graphs[-1] <= 3 * graphs[0], graphs


def test_one_size_takes_one_graph_a_block():
    """Blocks of one kind share their code, whatever their drop path is."""
    torch.compiler.reset()
    counters.clear()
    model = build('PVT', overrides=dict(depths=(3, 1, 1, 1)))
    compile_model(model, backend='eager', fullgraph=True)
    model.eval()(torch.rand(2, 3, 64, 96))
    assert counters['stats']['unique_graphs'] == 4


def test_names_of_parameters_stay():
    model = build('PVT')
    names = list(model.state_dict())
    compile_model(model, backend='eager')
    assert list(model.state_dict()) == names


def test_what_cannot_be_compiled_is_refused():
    with pytest.raises(ValueError, match='choose one of blocks, backbone'):
        compile_model(build('PVT'), scope='head')
    with pytest.raises(ValueError, match='no blocks of mmvit'):
        compile_model(nn.Linear(2, 2))
    with pytest.raises(ValueError, match='no backbone'):
        compile_model(nn.Linear(2, 2), scope='backbone')


def train(root: Path, work_dir: Path, **options) -> GuardedRunner:
    cfg = tiny_config('seg', root, work_dir=str(work_dir), **options)
    runner = GuardedRunner.from_cfg(cfg)
    runner.train()
    return runner


@pytest.mark.parametrize('scope', ['blocks', 'backbone'])
def test_a_compiled_training_is_the_same_training(scenes, tmp_path, scope):
    """With activation checkpointing, EMA, validation and guards."""
    options = dict(
        model__backbone__with_cp=scope == 'blocks',
        custom_hooks=[dict(type='EMAHook')],
    )
    plain = train(scenes, tmp_path / 'plain', **options)
    torch.compiler.reset()
    counters.clear()
    compiled = train(
        scenes,
        tmp_path / 'compiled',
        compile=dict(scope=scope, backend='eager'),
        **options,
    )
    assert counters['stats']['unique_graphs']
    expected = plain.model.state_dict()
    for name, value in compiled.model.state_dict().items():
        torch.testing.assert_close(value, expected[name], msg=name)


def test_a_compiled_run_resumes(scenes, tmp_path):
    compile_ = dict(backend='eager')
    whole = train(scenes, tmp_path / 'whole', compile=compile_)
    part = tmp_path / 'part'
    train(scenes, part, compile=compile_, train_cfg__max_iters=2)
    resumed = train(scenes, part, compile=compile_, resume=True)
    assert resumed.iter == whole.iter
    expected = whole.model.state_dict()
    for name, value in resumed.model.state_dict().items():
        assert torch.equal(value, expected[name]), name


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which('g++'), reason='inductor needs g++')
@pytest.mark.parametrize('name', [*BACKBONES, 'SETRViT'])
def test_inductor(name):
    """Code that inductor makes gives the outputs and gradients of eager."""
    torch.compiler.reset()
    model = build_any(name).train()
    eager = copy.deepcopy(model)
    compile_model(model, fullgraph=True)
    for size in SIZES[:2]:
        compare(model, eager, size)
