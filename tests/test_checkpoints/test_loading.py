import os

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.model import BaseModule
from torch import nn

from mmvit.checkpoints import (
    check_match,
    load_pretrained,
    loading,
    read_checkpoint,
    read_state_dict,
    safe_load,
    trust_checkpoint,
)


def net(width: int = 4) -> nn.Module:
    return nn.Sequential(
        nn.Linear(3, width), nn.LayerNorm(width), nn.Linear(width, 2)
    )


class Shell:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple:
        return os.system, (self.command,)


class Attribute:
    """Asks for an attribute of what it should not."""

    def __reduce__(self) -> tuple:
        return getattr, (np.ndarray, 'tofile')


def test_own_checkpoint_with_metrics_is_read(tmp_path):
    hub = MessageHub('test_own_checkpoint')
    hub.update_scalar('train/loss', 0.5)
    for kind in (np.float32, np.float64, np.int64, np.bool_):
        hub.update_info(f'metric_{kind.__name__}', kind(1))
    hub.update_info('array', np.arange(3))
    path = tmp_path / 'epoch_1.pth'
    torch.save(
        dict(
            state_dict=net().state_dict(),
            message_hub=hub.state_dict(),
            meta=dict(epoch=1),
        ),
        path,
    )
    checkpoint = read_checkpoint(str(path))
    assert checkpoint['meta'] == dict(epoch=1)
    scalars = checkpoint['message_hub']['log_scalars']
    assert scalars['train/loss'].current() == 0.5


@pytest.mark.parametrize('kind', ['shell', 'attribute'])
def test_code_in_a_file_is_not_executed(tmp_path, kind):
    path, trace = tmp_path / 'evil.pth', tmp_path / 'trace'
    evil = Shell(f'touch {trace}') if kind == 'shell' else Attribute()
    torch.save(dict(state_dict=net().state_dict(), extra=evil), path)
    with pytest.raises(ValueError, match='evil.pth'):
        safe_load(str(path))
    with pytest.raises(ValueError, match='evil.pth'):
        read_state_dict(str(path))
    assert not trace.exists()


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


def test_pretrained_weights_are_loaded_by_prefix(tmp_path):
    source, target = net(), net()
    torch.save(
        {
            f'backbone.{key}': value
            for key, value in source.state_dict().items()
        }
        | {'head.weight': torch.ones(2)},
        tmp_path / 'file.pth',
    )
    load_pretrained(target, str(tmp_path / 'file.pth'), 'backbone')
    torch.testing.assert_close(target.state_dict(), source.state_dict())
    with pytest.raises(ValueError, match="begins with 'encoder.'"):
        load_pretrained(target, str(tmp_path / 'file.pth'), 'encoder.')
    with pytest.raises(ValueError, match='missing: 0.weight'):
        load_pretrained(target, str(tmp_path / 'file.pth'))


def test_match():
    model = net()
    weights = net().state_dict()
    check_match(model, weights, 'a file', min_matched=1.0)
    wide = net(width=5).state_dict()
    with pytest.raises(ValueError, match=r'0.weight \(5, 3\) instead of'):
        check_match(model, wide, 'a file', min_matched=0.0)
    part = {key: weights[key] for key in ('0.weight', '0.bias', '1.weight')}
    check_match(model, part, 'a file', min_matched=0.5)
    with pytest.raises(ValueError, match='3 of 6 .* missing: 1.bias'):
        check_match(model, part, 'a file', min_matched=0.6)
    head = {**weights, '2.weight': torch.ones(7, 4), '2.bias': torch.ones(7)}
    check_match(model, head, 'a file', min_matched=0.5, allow_shapes=True)
    with pytest.raises(ValueError, match='2.weight'):
        check_match(model, head, 'a file', min_matched=0.5)
    with pytest.raises(ValueError, match='0 of 6'):
        check_match(model, {}, 'a file', min_matched=0.0)


def test_trusted_file_is_executed(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, '_trusted', set())
    path, trace = tmp_path / 'old.pth', tmp_path / 'trace'
    shell = Shell(f'touch {trace}')
    torch.save(dict(state_dict=net().state_dict(), extra=shell), path)
    with pytest.raises(ValueError, match='--trust-checkpoint'):
        safe_load(str(path))
    trust_checkpoint(str(tmp_path / 'another.pth'))
    with pytest.raises(ValueError):
        safe_load(str(path))
    trust_checkpoint(str(path))
    assert 'state_dict' in safe_load(str(path))
    assert trace.exists()


def test_pretrained_of_any_library(tmp_path):
    path = tmp_path / 'file.pth'

    class Backbone(BaseModule):
        def __init__(self, **options):
            super().__init__(
                dict(type='Pretrained', checkpoint=str(path), **options)
            )
            self.net = net()

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
