"""One run at a time in a work dir."""

import contextlib
import errno
import fcntl
import os
import os.path as osp
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from mmengine.dist import is_main_process

from mmvit.utils.log import warn

from ..run_facts import from_main

_LOCK = '.lock'
_BUSY = (errno.EACCES, errno.EAGAIN)


def _lock(file: object, path: str) -> str | None:
    """Lock a file; returns what its owner has written if there is one."""
    try:
        # This kind of lock ends with the process, however that ends, and the
        # processes that load data do not inherit it.
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _BUSY:
            file.seek(0)
            return file.read().strip() or 'another process'
        warn(
            f'{path} cannot be locked ({error.strerror}): nothing stops a '
            'second run in this folder'
        )
        return None
    # A full disk is no reason to stop here.
    with contextlib.suppress(OSError):
        file.truncate(0)
        file.write(
            f'process {os.getpid()} on {socket.gethostname()}, since '
            f'{time.strftime("%Y-%m-%d %H:%M:%S")}'
        )
        file.flush()
    return None


def check_work_dir(work_dir: str) -> None:
    """Refuse a work dir in which no checkpoint could be written.

    Raises:
        NotADirectoryError: If it is a file, or lies in one.
        IsADirectoryError: If a folder has the name of one of its files.
    """
    path = Path(work_dir).absolute()
    for place in (path, *path.parents):
        if place.exists() and not place.is_dir():
            raise NotADirectoryError(
                f'the work dir {work_dir} cannot be made: {place} is a file. '
                'Choose another --work-dir'
            )
    last = path / 'last_checkpoint'
    if last.is_dir():
        raise IsADirectoryError(
            f'{last} is a folder, and the name of the newest checkpoint is '
            'written there: remove it, or choose another --work-dir'
        )


@contextlib.contextmanager
def sole_run(work_dir: str) -> Iterator[None]:
    """Let one run at a time train in a work dir.

    The main process holds a lock on the file `.lock` there.

    Raises:
        RuntimeError: In all processes, if another run holds it.
    """
    path, file = osp.join(work_dir, _LOCK), contextlib.nullcontext()
    if is_main_process():
        os.makedirs(work_dir, exist_ok=True)
        file = open(path, 'a+', encoding='utf-8')
    with file:
        owner = from_main(lambda: _lock(file, path))
        if owner is not None:
            raise RuntimeError(
                f'{work_dir} is in use: {owner}, trains there. Wait for it, '
                'stop it, or choose another --work-dir'
            )
        yield
