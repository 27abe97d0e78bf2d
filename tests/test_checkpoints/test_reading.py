"""Files are read as data: nothing in them is executed."""

import http.server
import os
import pickle
import threading
import zipfile

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from torch import nn

from mmvit.checkpoints import (
    read_checkpoint,
    read_state_dict,
    reading,
    safe_load,
    trust_checkpoint,
)


def net() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))


class Call:
    """Is unpickled by a call, with a state if one is given."""

    def __init__(self, function, *args, state=None):
        self.call = (
            (function, args)
            if state is None
            else (
                function,
                args,
                state,
            )
        )

    def __reduce__(self):
        return self.call

    def __call__(self):
        """Pickle wants what it calls to look like a function."""


def number(dtype, data):
    return Call(np.float64(1).__reduce__()[0], dtype, data)


def array(*state):
    reconstruct = np.arange(3).__reduce__()[0]
    return Call(reconstruct, np.ndarray, (0,), b'b', state=state)


def dtype(code, *state):
    return Call(np.dtype, code, False, True, state=(3, '<', *state))


def fetched(kind, owner, name):
    """An attribute of any object, by the methods of a log buffer."""
    get = Call(getattr, HistoryBuffer, '__getattribute__')
    rebuild = torch._tensor._rebuild_from_type_v2
    return Call(rebuild, get, kind, (owner, name), {})


TYPE = Call(getattr, HistoryBuffer, '__class__')
STATISTICS = Call(getattr, HistoryBuffer, '_statistics_methods')
DICT = fetched(TYPE, STATISTICS, '__class__')
INIT = Call(getattr, HistoryBuffer, '__init__')
PLAIN = (None, None, None, -1, -1, 0)
# What the files of an attacker may hold
HOSTILE = {
    'a command': Call(os.system, 'touch TRACE'),
    'an expression': Call(eval, 'open("TRACE", "w")'),
    'a method of an array': Call(Call(getattr, np.ndarray, 'tofile'), 'TRACE'),
    'a statistics method': Call(
        Call(getattr, HistoryBuffer, 'register_statistics'), print
    ),
    'the globals of a method': fetched(DICT, INIT, '__globals__'),
    'attributes set on a class': Call(
        torch._tensor._rebuild_from_type_v2,
        getattr,
        type(None),
        (HistoryBuffer, 'mean'),
        dict(mean=HistoryBuffer),
    ),
    'an array of objects': np.array([1, 'a'], dtype=object),
    'an array of pointers': array(1, (1,), np.dtype('O'), False, [1]),
    'an array of text': np.array(['a', 'b']),
    'a structured array': np.zeros(2, dtype=[('a', 'i4'), ('b', 'f4')]),
    'an array without its data': array(
        1, (10**9,), np.dtype('f8'), False, bytes(8)
    ),
    'an array of so many bytes': array(
        1, (2**40,), dtype('b1', *PLAIN), False, 2**40
    ),
    'an array of a negative size': array(
        1, (-1,), np.dtype('f8'), False, bytes(8)
    ),
    'a type of text that is long': number(
        dtype('U1', None, None, None, 2**30, 4, 8), bytes(8)
    ),
    'a number that is a pointer': number(np.dtype('O'), bytes(8)),
    'a number without its data': number(np.dtype('f8'), b''),
    'a log buffer of objects': Call(
        HistoryBuffer, state=dict(_log_history=[print])
    ),
}


@pytest.mark.parametrize('form', HOSTILE)
def test_hostile_file_is_refused(tmp_path, monkeypatch, form):
    monkeypatch.chdir(tmp_path)
    HistoryBuffer()
    statistics = dict(HistoryBuffer._statistics_methods)
    mean = HistoryBuffer.mean
    torch.save(
        dict(state_dict=net().state_dict(), extra=HOSTILE[form]), 'evil.pth'
    )
    for read in (safe_load, read_state_dict):
        with pytest.raises(ValueError, match='evil.pth cannot be read'):
            read('evil.pth')
    assert not os.path.exists('TRACE')
    assert HistoryBuffer._statistics_methods == statistics
    assert HistoryBuffer.mean is mean


def test_state_of_a_type_is_not_used(tmp_path):
    """A type may have a state that its code does not have."""
    path = tmp_path / 'file.pth'
    wrong = dtype('f8', None, ('x',), dict(x=1), 2**40, 4, 63)
    torch.save(dict(value=number(wrong, bytes(8))), path)
    assert safe_load(str(path)) == dict(value=0.0)


def test_methods_in_a_log_buffer_are_left_out(tmp_path):
    path = tmp_path / 'file.pth'
    state = dict(
        _log_history=np.ones(2),
        _count_history=np.ones(2),
        max_length=3,
        statistics_methods=dict(mean=Call(getattr, HistoryBuffer, 'max')),
        mean=1,
    )
    buffer = Call(HistoryBuffer, state=state)
    torch.save(dict(buffer=buffer), path)
    loaded = safe_load(str(path))['buffer']
    assert type(loaded) is HistoryBuffer
    assert loaded.statistics('mean') == loaded.mean() == 1
    assert HistoryBuffer._statistics_methods['mean'] is HistoryBuffer.mean


@pytest.mark.parametrize('core', ['numpy.core', 'numpy._core'])
def test_own_checkpoint_with_metrics_is_read(tmp_path, core):
    """By the names of NumPy before 2.0 and since."""
    hub = MessageHub('test_own_checkpoint')
    hub.update_scalar('train/loss', 0.5)
    values = {
        kind.__name__: kind(1)
        for kind in (np.float16, np.float32, np.float64, np.int64, np.bool_)
    }
    values['array'] = np.arange(6).reshape(2, 3).T
    values['swapped'] = np.arange(3, dtype='>f4')
    for key, value in values.items():
        hub.update_info(key, value)
    path = tmp_path / 'epoch_1.pth'
    content = dict(
        state_dict=net().state_dict(),
        message_hub=hub.state_dict(),
        meta=dict(epoch=1),
    )
    # What was read can be saved and read again.
    for _ in range(2):
        torch.save(content, path)
        rename_modules(path, core)
        content = read_checkpoint(str(path))
        assert content['meta'] == dict(epoch=1)
        hub = content['message_hub']
        assert hub['log_scalars']['train/loss'].current() == 0.5
        for key, value in values.items():
            assert hub['runtime_info'][key].dtype == value.dtype or (
                key == 'swapped'
            )
            np.testing.assert_array_equal(hub['runtime_info'][key], value)
    assert (
        type(
            torch.load(path, weights_only=False)['message_hub'][
                'runtime_info'
            ]['array']
        )
        is np.ndarray
    )


def rename_modules(path, core):
    """Write a checkpoint as another version of NumPy would have."""
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, 'w') as file:
        for name, data in parts.items():
            if name.endswith('data.pkl'):
                assert b'multiarray' in data
                for found in (b'numpy._core.', b'numpy.core.'):
                    data = data.replace(
                        b'c' + found, b'c' + core.encode() + b'.'
                    )
            file.writestr(name, data)


def test_files_that_are_no_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match='absent.pth'):
        read_state_dict(str(tmp_path / 'absent.pth'))
    whole, cut = tmp_path / 'whole.pth', tmp_path / 'cut.pth'
    torch.save(net().state_dict(), whole)
    cut.write_bytes(whole.read_bytes()[:500])
    with pytest.raises(ValueError, match='cut.pth'):
        read_state_dict(str(cut))
    torch.save([1, 2], tmp_path / 'list.pth')
    with pytest.raises(ValueError, match='holds no state dict'):
        read_state_dict(str(tmp_path / 'list.pth'))
    (tmp_path / 'old.pth').write_bytes(pickle.dumps(HOSTILE['a command']))
    with pytest.raises(ValueError, match='old.pth'):
        read_state_dict(str(tmp_path / 'old.pth'))


@pytest.mark.parametrize('layout', ['plain', 'state_dict', 'model', 'module'])
def test_layouts(tmp_path, layout):
    weights = net().state_dict()
    content = {
        'plain': weights,
        'state_dict': dict(state_dict=weights),
        'model': dict(model=weights),
        'module': {f'module.{key}': value for key, value in weights.items()},
    }[layout]
    torch.save(content, tmp_path / 'file.pth')
    loaded = read_state_dict(str(tmp_path / 'file.pth'))
    assert loaded.keys() == weights.keys()


def test_trusted_file_is_executed(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, '_trusted', set())
    monkeypatch.chdir(tmp_path)
    torch.save(
        dict(state_dict=net().state_dict(), extra=HOSTILE['a command']),
        'old.pth',
    )
    with pytest.raises(ValueError, match='--trust-checkpoint'):
        safe_load('old.pth')
    trust_checkpoint('another.pth')
    with pytest.raises(ValueError):
        safe_load('old.pth')
    trust_checkpoint(str(tmp_path / 'old.pth'))
    assert 'state_dict' in safe_load('old.pth')
    assert os.path.exists('TRACE')


@pytest.fixture
def address(tmp_path, monkeypatch):
    """The address of files in tmp_path / 'served'."""
    folder = tmp_path / 'served'
    folder.mkdir()
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    monkeypatch.chdir(tmp_path)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(folder))

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}'
    server.shutdown()


def test_addresses_are_read_safely(tmp_path, address):
    weights = net().state_dict()
    torch.save(weights, tmp_path / 'served/good.pth')
    for _ in range(2):
        loaded = read_state_dict(f'{address}/good.pth')
        assert loaded.keys() == weights.keys()
    torch.save(
        dict(weights, extra=HOSTILE['a command']), tmp_path / 'served/evil.pth'
    )
    with pytest.raises(ValueError, match='evil.pth cannot be read'):
        read_state_dict(f'{address}/evil.pth')
    assert not os.path.exists('TRACE')
