"""Files of an attacker are refused wherever weights are read."""

import ast
import contextlib
import io
import os
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModule
from mmengine.runner import checkpoint, load_checkpoint
from torch import Tensor, nn

from mmvit.checkpoints import (
    guard_loading,
    inspection,
    read_state_dict,
    safe_load,
    zoo,
)
from mmvit.checkpoints.reading import _STAND_INS
from mmvit.datasets import LoadTokenLabels

from .hostile import (
    FILES,
    HOSTILE,
    legacy_weights,
    old_storage,
    tensor,
    weights,
    write,
)

ROOT = Path(__file__).resolve().parents[2]
EVIL = 'evil.pth'


class Network(BaseModule):
    def __init__(self):
        super().__init__(dict(type='Pretrained', checkpoint=EVIL))
        self.layer = nn.Linear(2, 2)


@guard_loading()
def bytes_of_a_server():
    checkpoint._safe_torch_load(io.BytesIO(Path(EVIL).read_bytes()))


def token_labels():
    shutil.copy(EVIL, 'evil.pt')
    LoadTokenLabels('.', depth=1).transform(dict(img_path='evil.jpg'))


# Each ends in one of the functions that the tools and the runner call.
ENTRIES = {
    'safe_load': lambda: safe_load(EVIL),
    'read_state_dict': lambda: read_state_dict(EVIL),
    'load_checkpoint': guard_loading()(
        lambda: load_checkpoint(nn.Linear(2, 2), EVIL)
    ),
    'Pretrained': guard_loading()(lambda: Network().init_weights()),
    'bytes of a server': bytes_of_a_server,
    'token labels': token_labels,
    'zoo': lambda: zoo._convert(EVIL, 'pvt', 'converted.pth'),
}


# It takes a second for each way in.
CRASH = pytest.param('a key that crashes', marks=pytest.mark.slow)
FORMS = [*HOSTILE, *FILES]
FORMS[FORMS.index(CRASH.values[0])] = CRASH


@pytest.mark.parametrize('form', FORMS)
def test_hostile_file_is_refused(tmp_path, monkeypatch, form):
    if form.startswith('tensors'):
        pytest.importorskip('safetensors')
    if form == 'a pickle without end':  # or it takes some seconds
        monkeypatch.setattr(inspection, '_MAX_STEPS', 100_000)
    monkeypatch.chdir(tmp_path)
    HistoryBuffer()
    statistics = dict(HistoryBuffer._statistics_methods)
    mean = HistoryBuffer.mean
    write(form, Path(EVIL))
    for entry, read in ENTRIES.items():
        # The zoo's files may hold objects, which become data. They are
        # refused as they are no PVT.
        match = '' if entry == 'zoo' else 'cannot be read as a checkpoint: '
        with pytest.raises(ValueError, match=match):
            read()
    with contextlib.suppress(ValueError):
        found = read_state_dict(EVIL, foreign=True)
        assert all(type(value) is Tensor for value in found.values())
    assert not os.path.exists('TRACE')
    assert HistoryBuffer._statistics_methods == statistics
    assert HistoryBuffer.mean is mean


def test_stand_ins_are_known_to_the_inspector():
    names = {name for _, name in _STAND_INS}
    assert all(
        name in inspection._CALLS
        or name.rpartition('.')[2] in inspection._STAND_INS
        for name in names
    )


# Functions that execute what a file holds, or may, by the names of modules
DANGEROUS = {
    *('torch.load', 'torch.jit.load', 'torch.package.PackageImporter'),
    *('pickle.load', 'pickle.loads', 'pickle.Unpickler', 'marshal.loads'),
    *('joblib.load', 'dill.load', 'shelve.open', 'yaml.load', 'np.load'),
    *('yaml.full_load', 'yaml.unsafe_load', 'torch.hub.load'),
    *('torch.hub.load_state_dict_from_url', 'load_url'),
}


def dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f'{dotted(node.value)}.{node.attr}'
    return node.id if isinstance(node, ast.Name) else ''


def test_weights_are_read_in_one_place():
    """So that a tool that is added has no door of its own."""
    found = {
        (str(path.relative_to(ROOT)), dotted(node.func))
        for folder in ('mmvit', 'tools')
        for path in (ROOT / folder).rglob('*.py')
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and dotted(node.func) in DANGEROUS
    }
    assert found == {('mmvit/checkpoints/reading.py', 'torch.load')}


def test_a_steady_file_is_read(tmp_path):
    """The forms are refused for what is wrong with them."""
    path = tmp_path / 'good.pth'
    for content in (
        weights(tensor()),
        legacy_weights(tensor(old_storage())),
    ):
        path.write_bytes(content)
        assert torch.equal(safe_load(str(path))['weight'], torch.zeros(4))
