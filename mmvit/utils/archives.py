"""Unpacking archives of data sets: safely, resumably, all or nothing."""

import contextlib
import gzip
import lzma
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from .paths import path_within

# Where a file of an archive goes, relative to a folder; None leaves it out.
Place = Callable[[PurePosixPath], str | PurePosixPath | None]
# Called with the number of files so far and the share of the archive read.
Progress = Callable[[int, float], None]
_DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(EOFError, gzip.BadGzipFile),
)
# Images and annotations shrink less. More is a bomb that fills the disk.
_MAX_RATIO = 200
_SMALL = 64 * 2**20  # bytes; so much fills no disk
_ZIP_STARTS = (b'PK\x03\x04', b'PK\x05\x06')


class ArchiveError(ValueError):
    """An archive cannot be used; the message names it and says why."""


def _open_tar(file: BinaryIO, nested: bool) -> Iterator[tuple]:
    with tarfile.open(fileobj=file) as archive:
        for info in archive:
            if info.isdir():
                continue
            if not info.isreg() or info.issparse():
                raise ArchiveError(
                    f'{info.name} is a link, a device or a file with holes, '
                    'not a plain file'
                )
            content = archive.extractfile(info)
            if nested and info.name.endswith('.tar'):
                inner_names = PurePosixPath(info.name).stem
                for name, size, inner in _open_tar(content, False):
                    yield f'{inner_names}/{name}', size, inner
            else:
                yield info.name, info.size, content


def _open_zip(file: BinaryIO) -> Iterator[tuple]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                with archive.open(info) as content:
                    yield info.filename, info.file_size, content


def _files(
    file: BinaryIO, nested: bool
) -> Iterator[tuple[str, int, BinaryIO]]:
    """Yield name, size in bytes and content of the files of an archive."""
    is_zip = file.read(4) in _ZIP_STARTS
    file.seek(0)
    yield from _open_zip(file) if is_zip else _open_tar(file, nested)


def _write(content: BinaryIO, path: Path, size: int) -> None:
    """Write a file that has its name only when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'{path.name}.part')
    with part.open('wb') as file:
        shutil.copyfileobj(content, file, 1 << 20)
    if part.stat().st_size != size:
        raise EOFError(f'{path.name} is cut off')
    os.replace(part, path)


@contextlib.contextmanager
def _named_in_errors(archive: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise ArchiveError(f'{archive} is damaged ({error})') from error
    except ValueError as error:
        raise ArchiveError(f'{archive}: {error}') from error


def unpack(
    archive: Path,
    folder: Path,
    place: Place,
    nested: bool = False,
    progress: Progress = lambda *_: None,
) -> int:
    """Unpack a tar (also compressed) or zip archive into a folder.

    Files that are already there with their size are kept, so that the same
    call continues after an interruption. Only regular files are written, each
    under its name only when it is complete, and none outside of the folder.

    Args:
        archive, folder: The archive, and where to put its files.
        place: Where each file goes.
        nested: Whether to unpack the tar archives inside, each into a folder
            of its name, instead of writing them.
        progress: Called after each file.

    Returns:
        The number of files that have a place.

    Raises:
        ArchiveError: If the archive is damaged, holds a link or a device, is
            much larger unpacked than it is, or the name of a file leads out of
            the folder.
    """
    number = 0
    total = max(archive.stat().st_size, 1)
    left = _MAX_RATIO * total + _SMALL
    with _named_in_errors(archive), archive.open('rb') as file:
        for name, size, content in _files(file, nested):
            path_within(folder, name)
            target = place(PurePosixPath(name))
            if target is None:
                continue
            left -= size
            if left < 0:
                raise ArchiveError(
                    f'its files take more than {_MAX_RATIO} times its '
                    f'{total} bytes'
                )
            path = Path(path_within(folder, target))
            if not path.is_file() or path.stat().st_size != size:
                _write(content, path, size)
            number += 1
            progress(number, file.tell() / total)
    return number


def move_into(source: Path, target: Path) -> None:
    """Move a file or folder, and merge it with a folder that is there.

    A folder that is not there appears in one step. The same call continues
    after an interruption.
    """
    if source.is_dir() and target.is_dir():
        for child in sorted(source.iterdir()):
            move_into(child, target / child.name)
        source.rmdir()
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, target)
