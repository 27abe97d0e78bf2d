"""Downloads from a server on this machine that fails in many ways."""

import io
import re
import signal
import socket
import sys
import time
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from mmvit.checkpoints.download import DownloadError, download
from tests.support.file_server import FileServer, Page, file_server
from tests.support.processes import end, start
from tests.support.published_pvt import saved

BODY = saved(torch.rand(50_000))
# A file that torch before 1.6 wrote has no checksums.
OLD = b'\x80\x02' + bytes(100_000)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as server:
        yield server


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / 'model.pth'


def fetch(server: FileServer, path: Path, page: Page) -> None:
    server.pages['/file'] = page
    download([f'{server.address}/file'], str(path))


def left_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


@pytest.mark.parametrize('body', [BODY, OLD], ids=['today', 'old'])
def test_a_whole_file(server, path, body):
    fetch(server, path, Page(body))
    assert path.read_bytes() == body
    assert left_in(path.parent) == ['model.pth']
    assert server.requests == [('/file', '')]


def test_a_broken_connection_is_taken_up(server, path):
    fetch(server, path, Page(BODY, breaks=[70_000, 50_000]))
    assert path.read_bytes() == BODY
    ranges = [wanted for _, wanted in server.requests]
    assert ranges == ['', 'bytes=70000-', 'bytes=120000-']
    assert left_in(path.parent) == ['model.pth']


def test_the_next_download_goes_on(server, path):
    with pytest.raises(DownloadError, match='the next try goes on from .* 70'):
        fetch(server, path, Page(BODY, breaks=[70_000, 0]))
    assert left_in(path.parent) == ['model.pth.part', 'model.pth.part.json']
    server.requests.clear()
    fetch(server, path, Page(BODY))
    assert server.requests == [('/file', 'bytes=70000-')]
    assert path.read_bytes() == BODY
    assert left_in(path.parent) == ['model.pth']


def test_a_login_page_keeps_what_came_before(server, path):
    for page in (
        Page(BODY, breaks=[70_000, 0]),
        Page(b'<html>', kind='text/html', etag='"page"'),
    ):
        with pytest.raises(DownloadError):
            fetch(server, path, page)
    fetch(server, path, Page(BODY))
    assert server.requests[-1] == ('/file', 'bytes=70000-')
    assert path.read_bytes() == BODY


def test_a_server_without_ranges_sends_all_again(server, path):
    fetch(server, path, Page(BODY, ranges=False, breaks=[70_000]))
    assert len(server.requests) == 2
    assert path.read_bytes() == BODY


def test_parts_of_two_files_are_not_joined(server, path):
    """The file is replaced on the server while it is downloaded."""
    with pytest.raises(DownloadError):
        fetch(server, path, Page(OLD, breaks=[70_000, 0]))
    fetch(server, path, Page(BODY, etag='"second"'))
    assert path.read_bytes() == BODY


def test_an_unfinished_file_that_is_too_long(server, path):
    with pytest.raises(DownloadError):
        fetch(server, path, Page(BODY, breaks=[70_000, 0]))
    fetch(server, path, Page(OLD[:60_000]))
    assert path.read_bytes() == OLD[:60_000]


def test_a_whole_part_is_not_fetched_again(server, path):
    """The process is killed before the file gets its name."""
    server.pages['/file'] = Page(BODY)

    def killed(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download([f'{server.address}/file'], str(path), accept=killed)
    assert left_in(path.parent) == ['model.pth.part', 'model.pth.part.json']
    fetch(server, path, Page(BODY))
    assert len(server.requests) == 1
    assert path.read_bytes() == BODY


def compressed() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('model/data.pkl', bytes(1_000_000))
    return file.getvalue()


def flipped() -> bytes:
    body = bytearray(BODY)
    body[100_000] ^= 1
    return bytes(body)


REFUSED = {
    'a page': (Page(b'<html>', kind='text/html; charset=utf-8'), 'a web page'),
    'a page as a file': (Page(b'\n<!DOCTYPE html>'), 'it is a web page'),
    'cut off': (Page(BODY[:-20_000]), 'it is cut off or damaged'),
    'a wrong bit': (Page(flipped()), 'damaged: .* has another checksum'),
    'nothing': (Page(b''), 'the file is empty'),
    'compressed': (Page(compressed()), 'torch.save does not compress'),
    'absent': (Page(b'', status=404), 'the server answers 404 Not Found'),
    'forbidden': (Page(b'', status=403), 'the server answers 403 Forbidden'),
}


@pytest.mark.parametrize('form', REFUSED)
def test_a_wrong_file_leaves_nothing(server, path, form):
    page, message = REFUSED[form]
    with pytest.raises(DownloadError, match=message) as info:
        fetch(server, path, page)
    assert left_in(path.parent) == []
    text = str(info.value)
    assert f'{server.address}/file: ' in text
    assert f'the folder {path.parent} under the name model.pth' in text


def test_the_second_address_is_tried(server, path):
    server.pages['/second'] = Page(BODY)
    addresses = [f'{server.address}/first', f'{server.address}/second']
    download(addresses, str(path))
    assert path.read_bytes() == BODY
    del server.pages['/second']
    with pytest.raises(DownloadError, match=r'first: .*404(.|\n)*second: '):
        download(addresses, str(path))


def test_no_connection(path):
    with socket.create_server(('127.0.0.1', 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(DownloadError, match='the connection failed .*refused'):
        download([f'http://127.0.0.1:{port}/file'], str(path))
    assert left_in(path.parent) == []


DRIVE = 'https://drive.google.com/uc?id=1a'


def test_google_drive_needs_gdown(path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'gdown', None)
    with pytest.raises(DownloadError, match='pip install gdown'):
        download([DRIVE], str(path))


def test_google_drive(path, monkeypatch):
    """With a stand-in for gdown, which is optional."""
    answers = [BODY, b'<html>', RuntimeError('too many users'), None]

    def drive(url: str, output: str, quiet: bool, resume: bool) -> str | None:
        assert (url, quiet, resume) == (DRIVE, True, True)
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            Path(output).write_bytes(answer)
        return answer and output

    gdown = types.SimpleNamespace(download=drive)
    monkeypatch.setitem(sys.modules, 'gdown', gdown)
    download([DRIVE], str(path))
    assert path.read_bytes() == BODY
    path.unlink()
    for message in ('web page', 'gdown: too many users', 'found no file'):
        with pytest.raises(DownloadError, match=message):
            download([DRIVE], str(path))
        assert left_in(path.parent) == []


@pytest.mark.slow
def test_a_killed_download_goes_on(server, path, tmp_path_factory):
    server.pages['/file'] = Page(BODY, pause=0.2)
    log = tmp_path_factory.mktemp('killed') / 'log.txt'
    process = start(download, [f'{server.address}/file'], str(path), log=log)
    part = Path(f'{path}.part')
    deadline = time.monotonic() + 120
    while not (part.exists() and part.stat().st_size > len(BODY) / 3):
        assert process.is_alive(), log.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert end([process], seconds=0) == [-signal.SIGKILL]
    came = part.stat().st_size
    assert len(BODY) / 3 < came < len(BODY) and not path.exists()
    fetch(server, path, Page(BODY))
    assert server.requests[-1] == ('/file', f'bytes={came}-')
    assert path.read_bytes() == BODY
    assert left_in(path.parent) == ['model.pth']


def test_a_log_has_no_bar(server, path, capfd):
    fetch(server, path, Page(BODY))
    out, err = capfd.readouterr()
    assert not re.search(r'\r|%', out + err)
