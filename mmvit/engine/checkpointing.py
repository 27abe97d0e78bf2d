"""Checkpoint files that are whole or not there."""

import errno
import logging
import os
import os.path as osp
import re
import shutil
import zipfile

from mmengine.fileio import LocalBackend, register_backend
from mmengine.logging import print_log

ATOMIC = 'mmvit.atomic'
_UNFINISHED = '.unfinished'
# What a signal left in the middle of an epoch.
INTERRUPTED = 'interrupted.pth'


class AtomicBackend(LocalBackend):
    """Local files that a kill in the middle of a write cannot spoil.

    What is written goes to a file beside the target, is synced to the disk,
    and takes the target's name as the last step.
    """

    def put(self, obj: bytes, filepath: str) -> None:
        """Write bytes to a file.

        Raises:
            OSError: If the disk is full; says how much is missing where.
        """
        filepath = str(filepath)
        folder = osp.dirname(filepath) or '.'
        os.makedirs(folder, exist_ok=True)
        unfinished = f'{filepath}{_UNFINISHED}'
        try:
            self.write(obj, unfinished)
        except OSError as error:
            # Give back what was taken.
            if osp.exists(unfinished):
                os.remove(unfinished)
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise OSError(
                error.errno,
                f'{error.strerror}: {len(obj) / 2**20:.1f} MiB for {filepath} '
                f'do not fit, {shutil.disk_usage(folder).free / 2**20:.1f} '
                'MiB are free there. The checkpoints before it are whole: '
                'make room (default_hooks.checkpoint.max_keep_ckpts keeps '
                'fewer), then --resume',
            ) from error
        os.replace(unfinished, filepath)
        _sync_folder(folder)

    def write(self, obj: bytes, unfinished: str) -> None:
        """Write and sync the file that has no name yet."""
        with open(unfinished, 'wb') as file:
            file.write(obj)
            file.flush()
            os.fsync(file.fileno())

    def put_text(
        self, obj: str, filepath: str, encoding: str = 'utf-8'
    ) -> None:
        """Write text to a file."""
        self.put(obj.encode(encoding), filepath)


register_backend(ATOMIC, AtomicBackend)


def _sync_folder(folder: str) -> None:
    # A name, too, is lost with the power until its folder is synced.
    if hasattr(os, 'O_DIRECTORY'):
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(number)
        except OSError:
            pass  # not every file system can
        finally:
            os.close(number)


def _is_whole(path: str) -> bool:
    # torch.save writes a zip file with a checksum of each part.
    try:
        with zipfile.ZipFile(path) as file:
            return file.testzip() is None
    except (OSError, zipfile.BadZipFile, zipfile.LargeZipFile):
        return False


def remove_unfinished(work_dir: str) -> None:
    """Remove what kills left of checkpoints that they cut off."""
    for name in os.listdir(work_dir) if osp.isdir(work_dir) else ():
        if name.endswith(_UNFINISHED):
            os.remove(osp.join(work_dir, name))


def newest_checkpoint(work_dir: str) -> str | None:
    """Find what to resume from.

    The file that `last_checkpoint` names comes first, then the others that a
    run wrote, newest first. One that was cut off is reported and passed over.

    Args:
        work_dir: The run's folder.

    Returns:
        The path, or None if the folder holds no whole checkpoint.
    """
    if not osp.isdir(work_dir):
        return None
    named = osp.join(work_dir, 'last_checkpoint')
    first = []
    if osp.isfile(named):
        with open(named, encoding='utf-8') as file:
            name = file.read().strip()
        # A relative name, or a path from before the folder was moved.
        last = osp.normpath(osp.join(work_dir, name))
        if not osp.isfile(last):
            last = osp.join(work_dir, osp.basename(name))
        first.append(last)
    interrupted = osp.join(work_dir, INTERRUPTED)
    if osp.isfile(interrupted):
        # It is removed after the next regular one.
        first.append(interrupted)
    steps = {}
    for folder in {work_dir, *map(osp.dirname, first)}:
        for name in os.listdir(folder) if osp.isdir(folder) else ():
            match = re.fullmatch(r'(?:epoch|iter)_(\d+)\.pth', name)
            if match:
                steps[osp.join(folder, name)] = int(match.group(1))
    others = sorted(steps, key=steps.get, reverse=True)
    candidates = [*first, *(path for path in others if path not in first)]
    for path in candidates:
        if _is_whole(path):
            return path
        print_log(
            f'{path} is missing, damaged or cut off: an older one is tried',
            logger='current',
            level=logging.WARNING,
        )
    return None
