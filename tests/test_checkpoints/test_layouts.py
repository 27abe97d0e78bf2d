"""Weights are found where trainers keep them, or a file is named."""

import argparse
import io
import struct
import sys
import types
from pathlib import Path

import pytest
import torch
from mmengine.runner import checkpoint, load_checkpoint

from mmvit.checkpoints import guard_loading, read_state_dict, safe_load

from .test_reading import net

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
    path = tmp_path / 'cut.safetensors'
    path.write_bytes(struct.pack('<Q', 2**60) + header)
    with pytest.raises(ValueError, match='begin like a file of safetensors'):
        read_state_dict(str(path))


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
