"""Files are read as data: nothing in them is executed."""

import argparse
import http.server
import os
import pickle
import threading
import zipfile
from pathlib import Path

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

from .hostile import HOSTILE, Call, dtype, number


def net() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))


class CfgNode(dict):
    """Stands for yacs' settings: a dictionary with attributes."""

    def __init__(self, **settings):
        super().__init__(settings)
        self.__dict__['__immutable__'] = False


SETTINGS = {
    'argparse': argparse.Namespace(lr=1e-3, output=Path('out')),
    'yacs': CfgNode(MODEL=CfgNode(NAME='focal'), AMP=[1, 2]),
    'objects': [slice(1, 2), {3, 4}, complex(1, 2)],
}


@pytest.mark.parametrize('legacy', [False, True])
@pytest.mark.parametrize('kind', SETTINGS)
def test_settings_beside_the_weights_become_data(
    tmp_path, monkeypatch, kind, legacy
):
    path, weights = str(tmp_path / 'best.pth'), net().state_dict()
    content = dict(model=weights, config=SETTINGS[kind], epoch=3)
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    if kind == 'argparse':  # as timm's and DeiT's
        assert read_state_dict(path).keys() == weights.keys()
    else:
        with pytest.raises(ValueError, match='cannot be read'):
            read_state_dict(path)
    # A class of the file is not looked for.
    monkeypatch.delattr(f'{__name__}.CfgNode')
    found = read_checkpoint(path, foreign=True)
    assert found.keys() == {'state_dict'}
    assert found['state_dict'].keys() == weights.keys()
    for name, value in found['state_dict'].items():
        assert torch.equal(value, weights[name])
    config = safe_load(path, foreign=True)['config']
    if kind == 'yacs':
        assert config == dict(MODEL=dict(NAME='focal'), AMP=[1, 2])
    if kind == 'argparse':
        assert vars(config)['lr'] == 1e-3


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
