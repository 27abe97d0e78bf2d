"""Downloads that a kill, a broken connection or a login page cannot spoil."""

import contextlib
import json
import os
import os.path as osp
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlparse
from urllib.request import Request, urlopen
from zipfile import ZipFile

from filelock import FileLock, Timeout
from mmengine.logging import print_log
from torch.hub import tqdm

from mmvit.version import __version__

_CHUNK = 1 << 18  # bytes
_SILENCE = 30  # seconds without a byte until a connection counts as broken
_CONNECTIONS = 10
_LOG_INTERVAL = 60  # seconds between two lines where no bar is shown


class DownloadError(RuntimeError):
    """A file cannot be downloaded; the message says what to do."""


def check_container(path: str) -> None:
    """Check that a file is no web page, and whole if torch.save wrote it.

    Raises:
        ValueError: If it is not.
    """
    with open(path, 'rb') as file:
        start = file.read(512).lstrip()
    if not start:
        raise ValueError('the file is empty')
    if start.startswith(b'<'):
        raise ValueError('it is a web page, such as that of a login')
    if not start.startswith(b'PK'):
        return  # a file of torch before 1.6, or of safetensors
    try:
        with ZipFile(path) as file:
            parts = file.infolist()
            size = sum(part.file_size for part in parts)
            # What torch.save writes is neither compressed nor shared, so that
            # it takes no longer to read than its size tells.
            plain = size <= osp.getsize(path) and not any(
                part.compress_type for part in parts
            )
            damaged = file.testzip() if plain else None
    except Exception as error:  # damaged bytes lead to errors of all kinds
        raise ValueError(f'it is cut off or damaged ({error})') from error
    if not plain:
        raise ValueError('it is compressed, and torch.save does not compress')
    if damaged:
        raise ValueError(f'it is damaged: {damaged} has another checksum')


@contextlib.contextmanager
def sole_process(path: str) -> Iterator[None]:
    """Let one process at a time make a file; the others wait."""
    os.makedirs(osp.dirname(osp.abspath(path)), exist_ok=True)
    lock = FileLock(f'{path}.lock')
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print_log(f'Wait for another process that makes {path}', 'current')
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def download(
    addresses: Sequence[str],
    path: str,
    accept: Callable[[str], None] = check_container,
) -> None:
    """Download a file. It gets its name when it is whole and accepted.

    What a broken or killed download has brought is kept in `path`.part, and
    the next one continues it. The caller holds `sole_process` of the file.

    Args:
        addresses: Where the file is; each is tried until one succeeds.
            `https://drive.google.com/...` needs the package gdown.
        path: The file to write.
        accept: Is called with the whole file, before it is renamed. Its
            ValueError refuses the file, which is removed then.

    Raises:
        DownloadError: If no address has the file. The message has the reason
            for each, and where to put the file by hand.
    """
    part = f'{path}.part'
    reasons = []
    for address in addresses:
        print_log(f'Download {address} to {path}', 'current')
        try:
            _transfer(address, part)
        except (DownloadError, OSError) as error:
            reasons.append(f'{address}: {error}')
            continue
        try:
            accept(part)
        except ValueError as error:
            _remove(part)
            reasons.append(f'{address}: refused: {error}')
            continue
        os.replace(part, path)
        _remove(part)
        return
    folder, name = osp.split(osp.abspath(path))
    raise DownloadError(
        f'{name} cannot be downloaded:\n  ' + '\n  '.join(reasons) + '\n'
        'Download it in another way, such as with a browser, and put it into '
        f'the folder {folder} under the name {name}'
    )


def _transfer(address: str, part: str) -> None:
    if urlparse(address).hostname == 'drive.google.com':
        _transfer_from_drive(address, part)
        return
    for _ in range(_CONNECTIONS):
        before = _size(part)
        try:
            _transfer_rest(address, part)
            return
        except HTTPError as error:
            # 416: the file there is shorter than what came before.
            if error.code != 416 or not before:
                raise DownloadError(
                    f'the server answers {error.code} {error.reason}'
                ) from error
            _remove(part)
        except (
            *(ConnectionError, HTTPException),
            *(TimeoutError, URLError),
        ) as error:
            reason = error
            if _size(part) <= before:
                break
    kept = _size(part)
    later = f'; the next try goes on from the {kept} bytes in {part}'
    raise DownloadError(
        f'the connection failed ({reason}){later if kept else ""}'
    )


def _transfer_rest(address: str, part: str) -> None:
    """Add what is missing to an unfinished file, over one connection."""
    known = _known(part, address)
    start = _size(part) if known else 0
    if start and start == known['total']:
        return
    headers = {
        'User-Agent': f'mmvit/{__version__}',
        'Accept-Encoding': 'identity',
    }
    if start:
        headers['Range'] = f'bytes={start}-'
        # The server sends the whole file if it is another one today.
        headers['If-Range'] = known['version']
    request = Request(address, headers=headers)
    with urlopen(request, timeout=_SILENCE) as response:
        if response.headers.get_content_type() == 'text/html':
            raise DownloadError(
                'there is a web page, such as that of a login, and no file'
            )
        content = response.headers.get('Content-Range', '')
        goes_on = start > 0 and content.startswith(f'bytes {start}-')
        start = start if goes_on else 0
        length = response.headers.get('Content-Length')
        total = None if length is None else start + int(length)
        # Unbuffered: whatever a kill leaves is in the file.
        with open(part, 'ab' if goes_on else 'wb', buffering=0) as file:
            if not goes_on:
                _remember(part, address, response, total)
            _copy(response, file.write, start, total)
    if total is not None and _size(part) != total:
        raise ConnectionError(f'{_size(part)} of {total} bytes have come')


def _copy(
    response: HTTPResponse,
    write: Callable[[bytes], int],
    start: int,
    total: int | None,
) -> None:
    logged = time.monotonic()
    with tqdm(
        total=total,
        initial=start,
        unit='B',
        unit_scale=True,
        unit_divisor=1024,
        disable=not sys.stderr.isatty(),
    ) as bar:
        count = start
        while count != total and (data := response.read1(_CHUNK)):
            write(data)
            count += len(data)
            bar.update(len(data))
            if bar.disable and time.monotonic() - logged > _LOG_INTERVAL:
                logged = time.monotonic()
                of_all = f' of {total / 1e6:.0f}' if total else ''
                print_log(f'{count / 1e6:.0f}{of_all} MB', 'current')


def _transfer_from_drive(address: str, part: str) -> None:
    try:
        # Optional: only files on Google Drive need it.
        import gdown
    except ImportError as error:
        raise DownloadError(
            'files on Google Drive need gdown: pip install gdown'
        ) from error
    # gdown has unfinished files of its own, beside this one.
    target = f'{part}.drive'
    try:
        found = gdown.download(
            address, target, quiet=not sys.stderr.isatty(), resume=True
        )
    except Exception as error:  # gdown's and its libraries' have no base class
        raise DownloadError(f'gdown: {error}') from error
    if not found:
        raise DownloadError('gdown found no file')
    os.replace(target, part)


# ------------------------------------------------------ the unfinished file


def _size(path: str) -> int:
    return osp.getsize(path) if osp.isfile(path) else 0


def _remove(part: str) -> None:
    """Remove an unfinished file and what is remembered of it."""
    for path in (part, f'{part}.json'):
        Path(path).unlink(missing_ok=True)


def _remember(
    part: str, address: str, response: HTTPResponse, total: int | None
) -> None:
    """Write down which file an unfinished one is a part of."""
    version = response.headers.get('ETag', 'W/')
    if version.startswith('W/'):  # a weak one does not tell bytes apart
        version = response.headers.get('Last-Modified', '')
    facts = dict(address=address, version=version, total=total)
    Path(f'{part}.json').write_text(json.dumps(facts), encoding='utf-8')


def _known(part: str, address: str) -> dict | None:
    """Read what `_remember` wrote, if the rest can be asked for."""
    try:
        facts = json.loads(Path(f'{part}.json').read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return None
    ours = facts['version'] and facts['address'] == address
    return facts if ours else None
