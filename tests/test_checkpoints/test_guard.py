"""Loading is guarded for a time, and imports change nothing."""

import contextlib
import json
import os
import pickle
import shutil
from types import SimpleNamespace

import mmengine
import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.model import BaseModule
from mmengine.registry import WEIGHT_INITIALIZERS
from mmengine.runner import Runner, checkpoint, load_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader
from mmseg.models.losses.utils import get_class_weight
from torch import nn
from yaml import YAMLError

from mmvit.apis.config import load_config
from mmvit.checkpoints import (
    guard_loading,
    read_state_dict,
    reading,
    safe_load,
    trust_checkpoint,
)
from tests.support.file_server import Page, file_server
from tests.support.helpers import run_python
from tests.support.published_pvt import saved


class Command:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


def loaders():
    return (
        dict(CheckpointLoader._schemes),
        WEIGHT_INITIALIZERS.get('Pretrained'),
    )


def test_guard_is_undone():
    before = loaders()
    with guard_loading():
        guarded = loaders()
        assert guarded[0][''] is safe_load
        with pytest.raises(KeyError), guard_loading():
            assert loaders() == guarded
            raise KeyError
        assert loaders() == guarded
    assert loaders() == before
    assert before[0][''] is not safe_load

    @guard_loading()
    def inside():
        return loaders()

    assert inside() == inside() == guarded
    assert loaders() == before


def test_other_entries_of_that_time_are_kept():
    with guard_loading():
        CheckpointLoader.register_scheme('nowhere://', loader=print)
    assert CheckpointLoader._schemes.pop('nowhere://') is print


def test_every_library_loads_safely(tmp_path):
    path, trace = tmp_path / 'file.pth', tmp_path / 'trace'
    model = nn.Linear(2, 2)
    torch.save(dict(model.state_dict(), extra=Command(trace)), path)
    with guard_loading(), pytest.raises(ValueError, match='cannot be read'):
        load_checkpoint(model, str(path))
    assert not trace.exists()


@pytest.mark.parametrize(
    'scheme', ['http', 'torchvision', 'open-mmlab', 'openmmlab', 'mmcls']
)
def test_addresses_of_all_kinds_are_read_safely(tmp_path, monkeypatch, scheme):
    trace = tmp_path / 'trace'
    weights = nn.Linear(2, 2).state_dict()
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    monkeypatch.setenv('MMENGINE_HOME', str(tmp_path / 'home'))
    with file_server() as server, guard_loading():
        files = dict(good=weights, evil=dict(weights, x=Command(trace)))
        for name, content in files.items():
            server.pages[f'/{name}.pth'] = Page(saved(content))
        table = {name: f'{server.address}/{name}.pth' for name in files}
        for known in ('torchvision_models', 'external_models', 'mmcls_models'):
            monkeypatch.setattr(checkpoint, f'get_{known}', lambda: table)
        begin = f'{server.address}/' if scheme == 'http' else f'{scheme}://'
        end = '.pth' if scheme == 'http' else ''
        assert CheckpointLoader.load_checkpoint(f'{begin}good{end}')
        with pytest.raises(ValueError, match='evil.pth cannot be read'):
            CheckpointLoader.load_checkpoint(f'{begin}evil{end}')
    assert not trace.exists()


@pytest.mark.parametrize('address', ['s3://bucket/file.pth', 'petrel://x.pth'])
def test_files_of_other_servers_are_read_safely(
    tmp_path, monkeypatch, address
):
    """mmengine fetches them as bytes, which a stand-in does here."""
    path, trace = tmp_path / 'file.pth', tmp_path / 'trace'
    weights = nn.Linear(2, 2).state_dict()
    backend = SimpleNamespace(get=lambda name: path.read_bytes())
    monkeypatch.setattr(
        checkpoint, 'get_file_backend', lambda *_, **__: backend
    )
    torch.save(weights, path)
    with guard_loading():
        assert read_state_dict(address).keys() == weights.keys()
    torch.save(dict(weights, extra=Command(trace)), path)
    with guard_loading(), pytest.raises(ValueError, match='mkdir'):
        load_checkpoint(nn.Linear(2, 2), address)
    assert not trace.exists()


def test_a_config_inside_of_a_checkpoint_is_not_executed(tmp_path):
    """mmengine's Runner would do so to resume."""
    path, trace = str(tmp_path / 'file.pth'), tmp_path / 'trace'
    program = f'import os\nos.mkdir({str(trace)!r})\nworkers = 1'
    meta = dict(config=program, epoch=1, iter=2)
    weights = nn.Linear(2, 2).state_dict()
    torch.save(dict(state_dict=weights, meta=meta), path)
    runner = SimpleNamespace(
        load_checkpoint=lambda name, **_: load_checkpoint(
            nn.Linear(2, 2), name
        ),
        train_loop=SimpleNamespace(),
        _experiment_name='x',
        _randomness_cfg={},
        call_hook=lambda *_, **__: None,
    )
    for guard in (contextlib.nullcontext, guard_loading):
        with guard(), contextlib.suppress(AttributeError):
            Runner.resume(runner, path)
        assert runner.train_loop._iter == 2
        # Without the guard it is, so that this test sees something.
        assert trace.exists() == (guard is not guard_loading)
        shutil.rmtree(trace, ignore_errors=True)


@pytest.mark.parametrize('ending', ['pkl', 'pickle'])
def test_pickles_of_data_are_refused(tmp_path, monkeypatch, ending):
    """As ann_file, and as class_weight of mmseg's losses."""
    monkeypatch.setattr(reading, '_trusted', set())
    path, trace = tmp_path / f'data.{ending}', tmp_path / 'trace'
    path.write_bytes(pickle.dumps(Command(trace)))
    reads = [
        lambda: mmengine.load(path),
        lambda: BaseDataset(str(path)),
        lambda: get_class_weight(str(path)),
    ]
    with guard_loading():
        for read in reads:
            with pytest.raises(ValueError, match='--trust-checkpoint') as err:
                read()
            assert str(err.value).startswith(f'{path} is a pickle')
        assert not trace.exists()
        trust_checkpoint(str(path))
        mmengine.load(path)
        assert trace.exists()
        # Results are written as before.
        mmengine.dump([1], tmp_path / f'out.{ending}')
    assert mmengine.load(tmp_path / f'out.{ending}') == [1]


@pytest.mark.parametrize('ending', ['yml', 'yaml'])
def test_configs_in_yaml_make_no_objects(tmp_path, ending):
    path, trace = tmp_path / f'config.{ending}', tmp_path / 'trace'
    path.write_text(f'a: !!python/object/apply:os.mkdir ["{trace}"]')
    message = f'{path.name} cannot be read: .*os.mkdir'
    with pytest.raises(ValueError, match=f'(?s){message}'):
        load_config(str(path))
    base = tmp_path / 'inherits.py'
    base.write_text(f'_base_ = {path.name!r}')
    with pytest.raises(ValueError, match='(?s)cannot be read: .*os.mkdir'):
        load_config(str(base))
    assert not trace.exists()
    with guard_loading(), pytest.raises(YAMLError, match=f'{path} cannot be'):
        BaseDataset(str(path))
    # What mmengine writes
    mmengine.dump(dict(a=(1, (2, 3)), b=None), path)
    assert load_config(str(path)).to_dict() == dict(a=(1, (2, 3)), b=None)


@guard_loading()
def test_pretrained_of_any_library(tmp_path):
    path = tmp_path / 'file.pth'

    class Backbone(BaseModule):
        def __init__(self, **options):
            super().__init__(
                dict(type='Pretrained', checkpoint=str(path), **options)
            )
            self.net = nn.Sequential(
                nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2)
            )

    torch.save(Backbone().state_dict(), path)
    source = torch.load(path)
    model = Backbone()
    model.init_weights()
    assert torch.equal(model.net[0].weight, source['net.0.weight'])
    torch.save({f'x.{key}': value for key, value in source.items()}, path)
    with pytest.raises(ValueError, match='0 of 6 parameters of Backbone'):
        Backbone().init_weights()
    kept = dict(list(source.items())[:2])
    torch.save(kept, path)
    with pytest.raises(ValueError, match='2 of 6'):
        Backbone().init_weights()
    Backbone(min_matched=0.3).init_weights()


# Imports step by step, and prints what each has changed.
PROGRAM = """
import importlib.machinery, json, sys, types
# mmdet comes first here, so that nothing of ours serves its operators.
class Operators(types.ModuleType):
    __file__ = None
    def __getattr__(self, name):
        return print
operators = sys.modules['mmcv._ext'] = Operators('mmcv._ext')
operators.__spec__ = importlib.machinery.ModuleSpec('mmcv._ext', None)
import mmdet.registry, mmengine.registry, mmpretrain.registry, mmseg.registry
import mmdet.models, mmpretrain.models, mmseg.models
from mmengine.fileio.backends import backends, prefix_to_backends
from mmengine.registry import Registry
from mmengine.runner import checkpoint

def state():
    found = {'load_url': checkpoint.load_url}
    for name, table in dict(
        schemes=checkpoint.CheckpointLoader._schemes,
        backends=backends,
        prefixes=prefix_to_backends,
    ).items():
        found |= {f'{name} {key}': value for key, value in table.items()}
    for library in ('mmengine', 'mmdet', 'mmseg', 'mmpretrain'):
        module = sys.modules[f'{library}.registry']
        for name, registry in vars(module).items():
            if isinstance(registry, Registry):
                for key, value in registry.module_dict.items():
                    found[f'{library}.{name} {key}'] = value
    return found

before = state()
assert len(before) > 1000
assert 'mmengine.WEIGHT_INITIALIZERS Pretrained' in before
for step in ('mmvit', 'mmvit.models', 'mmvit.engine', 'a run'):
    if step == 'a run':
        from pathlib import Path
        from tests.support.small_runs import make_runner
        make_runner(Path(sys.argv[1]), True).train()
    else:
        importlib.import_module(step)
    after = state()
    changed = [
        key for key, value in before.items() if after.get(key) is not value
    ]
    added = sorted(after.keys() - before.keys())
    print(json.dumps(dict(step=step, changed=changed, added=added)))
"""


@pytest.mark.slow
def test_imports_and_runs_leave_the_libraries_alone(tmp_path):
    done = run_python('-c', PROGRAM, str(tmp_path))
    assert done.returncode == 0, done.stderr[-3000:]
    steps = [
        json.loads(line)
        for line in done.stdout.splitlines()
        if line.startswith('{"step"')
    ]
    assert len(steps) == 4
    for step in steps:
        assert not step['changed'], step
        mine = ['backends mmvit.atomic'] if step['step'] == 'a run' else []
        assert step['added'] == [*mine, 'schemes mmvit://'], step
