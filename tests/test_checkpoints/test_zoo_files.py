"""`mmvit://NAME`: files from a server on this machine."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from mmengine.runner.checkpoint import load_checkpoint
from torch import Tensor, nn

from mmvit.apis.config import build_model, load_config
from mmvit.checkpoints import (
    FAMILIES,
    guard_loading,
    load_pretrained,
    read_checkpoint,
    read_state_dict,
)
from mmvit.checkpoints.download import DownloadError
from mmvit.checkpoints.released import released_files
from mmvit.checkpoints.zoo import fetch
from mmvit.registry import MODELS
from tests.support.file_server import FileServer, Page, file_server
from tests.support.processes import end, start
from tests.support.published_pvt import published_names, saved

NANO = 'configs/quickstart/pvt-nano_1xb32-15e_digit-scenes-64x64.py'
NAME = 'pvt-t_in1k'


@pytest.fixture(scope='module')
def weights() -> dict[str, Tensor]:
    """Those of the quickstart's classifier, as drawn."""
    model = build_model(load_config(NANO))
    model.init_weights()
    return model.state_dict()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / 'home'
    monkeypatch.setenv('MMVIT_HOME', str(folder))
    return folder


@pytest.fixture
def server(
    home: Path, weights: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> Iterator[FileServer]:
    """A mirror that has one file, of a smaller PVT than the real one."""
    with file_server() as server:
        monkeypatch.setenv('MMVIT_ZOO_MIRROR', f'{server.address}/')
        body = saved(published_names(weights))
        server.pages[f'/{NAME}.pth'] = Page(body)
        yield server


def left_in(folder: Path) -> list[str]:
    found = folder.rglob('*.*')
    return sorted(str(file.relative_to(folder)) for file in found)


def test_a_file_is_fetched_and_converted_once(server, home, weights):
    for _ in range(2):
        loaded = read_state_dict(f'mmvit://{NAME}')
        torch.testing.assert_close(loaded, weights, rtol=0, atol=0)
    assert len(server.requests) == 1
    kept = [name for name in left_in(home) if not name.endswith('.lock')]
    assert kept == [f'converted/{NAME}.pth', f'published/{NAME}.pth']
    assert fetch(NAME) == str(home / 'converted' / f'{NAME}.pth')
    # The converted file is enough.
    (home / 'published' / f'{NAME}.pth').unlink()
    assert read_state_dict(f'mmvit://{NAME}').keys() == weights.keys()
    assert len(server.requests) == 1


def test_a_file_put_there_by_hand_is_used(home, weights):
    path = home / 'published' / f'{NAME}.pth'
    path.parent.mkdir(parents=True)
    path.write_bytes(saved(published_names(weights)))
    assert read_state_dict(f'mmvit://{NAME}').keys() == weights.keys()
    # It is replaced by another one.
    changed = {name: value + 1 for name, value in weights.items()}
    path.write_bytes(saved(published_names(changed)))
    loaded = read_state_dict(f'mmvit://{NAME}')
    torch.testing.assert_close(loaded, changed)
    path.write_bytes(b'<html>')
    message = f'{path} is not the file of mmvit://{NAME}: it is a web page'
    with pytest.raises(ValueError, match=message):
        fetch(NAME)
    assert path.read_bytes() == b'<html>'


def test_a_damaged_copy_is_made_anew(server, home, weights):
    path = Path(fetch(NAME))
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)
    loaded = read_state_dict(f'mmvit://{NAME}')
    torch.testing.assert_close(loaded, weights, rtol=0, atol=0)
    assert len(server.requests) == 1


WRONG = {
    'a login page': (b'<!DOCTYPE html>', 'it is a web page'),
    'cut off': (saved(dict(a=torch.rand(99)))[:-50], 'cut off or damaged'),
    'of another family': (
        saved({'conv1.weight': torch.rand(4, 3, 7, 7)}),
        'not a published pvt checkpoint(.|\n)*conv1.weight',
    ),
    'no weights': (saved([1]), 'holds no state dict'),
}


@pytest.mark.parametrize('form', WRONG)
def test_a_wrong_file_leaves_nothing(server, home, form):
    body, message = WRONG[form]
    server.pages[f'/{NAME}.pth'] = Page(body)
    with pytest.raises(DownloadError, match=message):
        read_state_dict(f'mmvit://{NAME}')
    assert [n for n in left_in(home) if not n.endswith('.lock')] == []


@pytest.mark.parametrize('family', sorted(set(FAMILIES) - {'pvt'}))
def test_weights_of_a_pvt_are_no_others(server, home, family):
    files = released_files().items()
    name = next(name for name, found in files if found.family == family)
    server.pages[f'/{name}.pth'] = server.pages[f'/{NAME}.pth']
    with pytest.raises(DownloadError, match=f'not a published {family}'):
        fetch(name)
    assert [n for n in left_in(home) if not n.endswith('.lock')] == []


def test_an_absent_file_says_where_to_put_it(server, home, weights):
    server.pages.clear()
    with pytest.raises(DownloadError) as info:
        fetch(NAME)
    text = str(info.value)
    assert f'{server.address}/{NAME}.pth: the server answers 404' in text
    assert 'github' not in text, 'a mirror is asked instead of the authors'
    folder, name = re.search(
        r'folder (\S+) under the name (\S+)', text
    ).groups()
    (Path(folder) / name).write_bytes(saved(published_names(weights)))
    assert read_state_dict(f'mmvit://{NAME}').keys() == weights.keys()


def test_without_a_mirror_the_authors_addresses_are_asked(home, monkeypatch):
    asked = []

    def download(addresses, path, accept):
        asked.extend(addresses)
        raise DownloadError(path)

    monkeypatch.delenv('MMVIT_ZOO_MIRROR', raising=False)
    monkeypatch.setattr('mmvit.checkpoints.zoo.download', download)
    with pytest.raises(DownloadError):
        fetch(NAME)
    assert asked == [
        'https://github.com/whai362/PVT/releases/download/v2/pvt_tiny.pth',
        'https://drive.google.com/uc?id=1yau8uMRl-mnlTAUn4I7vypss3wjVltt5',
    ]


# --------------------------------------------------------------------- users


def test_pretrained_and_load_from(server, weights):
    cfg = load_config(NANO)
    given = dict(type='Pretrained', checkpoint=f'mmvit://{NAME}')
    for prefix in ({}, dict(prefix='backbone.')):
        backbone = dict(cfg.model.backbone, init_cfg={**given, **prefix})
        built = MODELS.build(backbone)
        built.init_weights()
        for name, value in built.state_dict().items():
            assert torch.equal(value, weights[f'backbone.{name}'])
    model = build_model(cfg)
    model.init_weights()
    load_pretrained(model, f'mmvit://{NAME}')
    assert torch.equal(model.head.fc.weight, weights['head.fc.weight'])
    model.init_weights()
    with guard_loading():
        load_checkpoint(model, f'mmvit://{NAME}', strict=True)
    assert torch.equal(model.head.fc.weight, weights['head.fc.weight'])
    assert 'published' in read_checkpoint(f'mmvit://{NAME}')['meta']


def test_another_size_is_told(server):
    with pytest.raises(ValueError, match=f'mmvit://{NAME}: 0 of 2 parameters'):
        load_pretrained(nn.Linear(2, 2), f'mmvit://{NAME}')


@pytest.mark.slow
def test_two_processes_download_once(server, home, tmp_path):
    page = server.pages[f'/{NAME}.pth']
    page.pause = 0.02
    logs = [tmp_path / f'{number}.txt' for number in (0, 1)]
    codes = end([start(fetch, NAME, log=log) for log in logs])
    assert codes == [0, 0], '\n'.join(log.read_text() for log in logs)
    assert (home / 'converted' / f'{NAME}.pth').is_file()
    assert len(server.requests) == 1
