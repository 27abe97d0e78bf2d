"""Checkpoint files that are whole or not there."""

import logging
import os
import os.path as osp
import re
import zipfile

from mmengine.fileio import LocalBackend, register_backend
from mmengine.logging import print_log

ATOMIC = 'mmvit.atomic'
_UNFINISHED = '.unfinished'


class AtomicBackend(LocalBackend):
    """Local files that a kill in the middle of a write cannot spoil.

    What is written goes to a file beside the target, is synced to the disk,
    and takes the target's name as the last step.
    """

    def put(self, obj: bytes, filepath: str) -> None:
        """Write bytes to a file."""
        filepath = str(filepath)
        os.makedirs(osp.dirname(filepath) or '.', exist_ok=True)
        unfinished = f'{filepath}{_UNFINISHED}'
        try:
            with open(unfinished, 'wb') as file:
                file.write(obj)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            # The disk is full, most likely: give back what was taken.
            if osp.exists(unfinished):
                os.remove(unfinished)
            raise
        os.replace(unfinished, filepath)

    def put_text(
        self, obj: str, filepath: str, encoding: str = 'utf-8'
    ) -> None:
        """Write text to a file."""
        self.put(obj.encode(encoding), filepath)


register_backend(ATOMIC, AtomicBackend)


def _is_whole(path: str) -> bool:
    # torch.save writes a zip file, whose directory is at its end: a file
    # that was cut off has none.
    return osp.isfile(path) and zipfile.is_zipfile(path)


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
    steps = {}
    for name in os.listdir(work_dir):
        match = re.fullmatch(r'(?:epoch|iter)_(\d+)\.pth', name)
        if match:
            steps[osp.join(work_dir, name)] = int(match.group(1))
    candidates = sorted(steps, key=steps.get, reverse=True)
    named = osp.join(work_dir, 'last_checkpoint')
    if osp.isfile(named):
        with open(named, encoding='utf-8') as file:
            # A name, or a path from before the folder was moved.
            last = osp.join(work_dir, osp.basename(file.read().strip()))
        candidates = [last, *(path for path in candidates if path != last)]
    for path in candidates:
        if _is_whole(path):
            return path
        print_log(
            f'{path} is missing or was cut off: an older one is tried',
            logger='current',
            level=logging.WARNING,
        )
    return None
