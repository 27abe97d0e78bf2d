"""torch.compile, block by block."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torch._dynamo.utils import counters

from mmvit.engine import GuardedRunner
from mmvit.engine.compilation import compile_model
from tests.support.tiny import tiny_config
from tests.test_models.test_backbones.test_contract import build


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
