"""Files are read as data: nothing in them is executed."""

import argparse
import http.server
import io
import os
import pickle
import struct
import sys
import threading
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.runner import checkpoint, load_checkpoint
from torch import nn

from mmvit.checkpoints import (
    guard_loading,
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


LAYOUTS = {
    'plain': lambda weights: weights,
    'state_dict': lambda weights: dict(state_dict=weights),
    'model': lambda weights: dict(model=weights),
    'average': lambda weights: dict(model_ema=weights),
    'twice': lambda weights: dict(model=dict(state_dict=weights)),
    'module': lambda weights: {f'module.{k}': v for k, v in weights.items()},
    'compiled': lambda weights: {
        f'_orig_mod.module.{k}': v for k, v in weights.items()
    },
    'distributed and compiled': lambda weights: {
        f'module._orig_mod.{k}': v for k, v in weights.items()
    },
    'average alone': lambda weights: dict(
        ema_state_dict={f'module.{k}': v for k, v in weights.items()}
    ),
    'timm': lambda weights: dict(
        epoch=3,
        arch='vit',
        args=argparse.Namespace(lr=1e-3, output=Path('out')),
        state_dict=weights,
        state_dict_ema={k: v + 1 for k, v in weights.items()},
    ),
    'Lightning': lambda weights: {
        'pytorch-lightning_version': '2.4.0',
        'hyper_parameters': argparse.Namespace(lr=1e-3),
        'state_dict': {f'net.{k}': v for k, v in weights.items()},
    },
    'part compiled': lambda weights: {
        k.replace('0.', '0._orig_mod.'): v for k, v in weights.items()
    },
}


@pytest.mark.parametrize('layout', LAYOUTS)
def test_layouts(tmp_path, layout):
    """By our functions and by mmengine's, as for load_from and tests."""
    source, target = net(), net()
    path, weights = str(tmp_path / 'file.pth'), source.state_dict()
    torch.save(LAYOUTS[layout](weights), path)
    loaded = read_state_dict(path)
    torch.testing.assert_close(loaded, dict(weights))
    with guard_loading():
        load_checkpoint(target, path, strict=True)
    torch.testing.assert_close(target.state_dict(), weights)


def test_a_name_that_two_weights_would_have(tmp_path):
    path, weights = tmp_path / 'file.pth', net().state_dict()
    torch.save(weights | {'module.0.bias': torch.ones(4)}, path)
    with pytest.raises(ValueError, match='differ only by "module."'):
        read_state_dict(str(path))


def test_content_that_holds_itself(tmp_path):
    content = dict(model={})
    content['model']['state_dict'] = content
    torch.save(content, tmp_path / 'file.pth')
    with pytest.raises(ValueError, match='holds no state dict'):
        read_state_dict(str(tmp_path / 'file.pth'))


def test_the_moving_average_is_taken_if_it_is_asked_for(tmp_path):
    path, plain, average = str(tmp_path / 'a.pth'), net(), net()
    content = dict(model=plain.state_dict(), model_ema=average.state_dict())
    torch.save(content, path)
    for module, asked in ((plain, False), (average, True)):
        found = read_state_dict(path, average=asked)
        assert torch.equal(found['0.weight'], module[0].weight)


def test_safetensors(tmp_path, monkeypatch):
    """With a stand-in for the package, which is not required."""
    path, weights = tmp_path / 'model.bin', net().state_dict()
    header = b'{"a":{}}'
    path.write_bytes(struct.pack('<Q', len(header)) + header)
    monkeypatch.setitem(sys.modules, 'safetensors.torch', None)
    with pytest.raises(ImportError, match='model.bin.*pip install'):
        read_state_dict(str(path))
    module = types.SimpleNamespace(
        load_file=lambda name: {path: weights}[Path(name)],
        load=lambda data: {path.read_bytes(): weights}[data],
    )
    monkeypatch.setitem(sys.modules, 'safetensors', types.ModuleType('s'))
    monkeypatch.setitem(sys.modules, 'safetensors.torch', module)
    assert read_state_dict(str(path)) == weights
    with guard_loading():
        server = checkpoint._safe_torch_load
        assert server(io.BytesIO(path.read_bytes())) == weights


def test_safetensors_of_the_package(tmp_path):
    package = pytest.importorskip('safetensors.torch')
    path, weights = tmp_path / 'model.safetensors', net().state_dict()
    package.save_file(weights, path)
    found = read_state_dict(str(path))
    torch.testing.assert_close(found, dict(weights))


@pytest.mark.parametrize(
    ('data', 'text'),
    [
        (b'<!doctype html>', 'web page'),
        (b'version https://git-lfs.github.com/spec/v1', 'git lfs pull'),
        (b'\x1f\x8b\x08', 'gzip'),
        (b'\x93NUMPY\x01', 'array of NumPy'),
        (b'\x89HDF\r\n', 'HDF5'),
        (b'', 'cut off or damaged'),
    ],
)
def test_other_files_are_named_for_what_they_are(tmp_path, data, text):
    path = tmp_path / 'file.pth'
    path.write_bytes(data)
    with pytest.raises(ValueError, match=f'file.pth cannot .*{text}'):
        safe_load(str(path))


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
