"""Checkpoint files that are whole or not there."""

import contextlib
import errno
import logging
import os
import os.path as osp
import re
import shutil
import zipfile
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend
from mmengine.fileio.backends import BaseStorageBackend
from mmengine.hooks import CheckpointHook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmvit.registry import HOOKS

# Name of `AtomicBackend`, which GuardedRunner registers
ATOMIC = 'mmvit.atomic'
# Checkpoint of a run that a signal has stopped
INTERRUPTED = 'interrupted.pth'
_UNFINISHED = '.unfinished'


class AtomicBackend(LocalBackend):
    """Local files that a kill in the middle of a write cannot spoil.

    A file is written under another name beside the target, synced to the
    disk, and renamed last.
    """

    def put(self, obj: bytes, filepath: str) -> None:
        """Write bytes to a file."""
        folder = osp.dirname(filepath) or '.'
        os.makedirs(folder, exist_ok=True)
        unfinished = f'{filepath}{_UNFINISHED}'
        try:
            self.write(obj, unfinished)
        except OSError as error:
            # Free the space that was taken.
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
        """Write and sync the file that is renamed afterwards."""
        with open(unfinished, 'wb') as file:
            file.write(obj)
            file.flush()
            os.fsync(file.fileno())

    def put_text(
        self, obj: str, filepath: str, encoding: str = 'utf-8'
    ) -> None:
        """Write text to a file."""
        self.put(obj.encode(encoding), filepath)


def _sync_folder(folder: str) -> None:
    # Until its folder is synced, a power cut can undo the renaming.
    number = os.open(folder, os.O_RDONLY)
    # Some file systems cannot sync folders.
    with contextlib.suppress(OSError):
        os.fsync(number)
    os.close(number)


def _is_whole(path: str) -> bool:
    # torch.save writes a zip file with a checksum of each part.
    try:
        with zipfile.ZipFile(path) as file:
            return file.testzip() is None
    except (OSError, zipfile.BadZipFile, zipfile.LargeZipFile):
        return False


def remove_unfinished(work_dir: str) -> None:
    """Remove the unfinished checkpoints that killed runs have left."""
    for path in Path(work_dir).glob(f'*{_UNFINISHED}'):
        path.unlink()


def newest_checkpoint(work_dir: str) -> str | None:
    """Find the newest whole checkpoint in a run's folder.

    The file that `last_checkpoint` names comes first, then the run's other
    checkpoints, newest first. A damaged one is reported and passed over.
    """
    for path in _candidates(work_dir):
        if _is_whole(path):
            return path
        text = f'{path} is missing, damaged or cut off: an older one is tried'
        print_log(text, 'current', logging.WARNING)
    return None


def _candidates(work_dir: str) -> list[str]:
    named = osp.join(work_dir, 'last_checkpoint')
    first = []
    if osp.isfile(named):
        with open(named, encoding='utf-8') as file:
            name = file.read().strip()
        # A relative name, or a path from before the folder was moved
        last = osp.normpath(osp.join(work_dir, name))
        if not osp.isfile(last):
            last = osp.join(work_dir, osp.basename(name))
        first.append(last)
    interrupted = osp.join(work_dir, INTERRUPTED)
    if osp.isfile(interrupted):
        # The next regular checkpoint removes it, so the rest are older.
        first.append(interrupted)
    steps = {}
    for folder in {work_dir, *map(osp.dirname, first)}:
        for path in Path(folder).glob('*.pth'):
            match = re.fullmatch(r'(?:epoch|iter)_(\d+)\.pth', path.name)
            if match and str(path) not in first:
                steps[str(path)] = int(match[1])
    return [*first, *sorted(steps, key=steps.get, reverse=True)]


def name_last_checkpoint(work_dir: str, name: str) -> None:
    """Name the checkpoint that a run resumes from."""
    AtomicBackend().put_text(name, osp.join(work_dir, 'last_checkpoint'))


class _LateRemoval:
    """A file backend that puts removals off until `flush`."""

    def __init__(self, backend: BaseStorageBackend) -> None:
        self.backend = backend
        self.pending: list[tuple[str, str]] = []

    def __getattr__(self, name: str) -> object:
        if name in ('remove', 'rmtree'):
            return lambda path: self.pending.append((name, path))
        return getattr(self.backend, name)

    def flush(self, keep: str | None) -> None:
        for remove, path in self.pending:
            if path != keep and self.backend.exists(path):
                getattr(self.backend, remove)(path)
        self.pending = []


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's CheckpointHook that always leaves a whole checkpoint.

    Old files are removed after the new one is written, not before.
    `last_checkpoint` holds a name relative to its folder, so that a work
    directory can be moved. The arguments are those of mmengine's hook.
    """

    def before_train(self, runner: Runner) -> None:
        """Put removals off, and look for the best files in this folder."""
        super().before_train(runner)
        self.file_backend = _LateRemoval(self.file_backend)
        # A checkpoint that is resumed names the folder where it was written,
        # which may have been copied or moved since.
        if getattr(self, 'best_ckpt_path', None):
            self.best_ckpt_path = self._here(self.best_ckpt_path)
        for key, path in getattr(self, 'best_ckpt_path_dict', {}).items():
            if path:
                self.best_ckpt_path_dict[key] = self._here(path)

    def _here(self, path: str) -> str:
        return self.file_backend.join_path(self.out_dir, osp.basename(path))

    def _save_checkpoint_with_step(
        self, runner: Runner, step: int, meta: dict
    ) -> None:
        super()._save_checkpoint_with_step(runner, step, meta)
        if is_main_process():
            folder = runner.work_dir
            name_last_checkpoint(folder, osp.relpath(self.last_ckpt, folder))
            self.file_backend.flush(keep=self.last_ckpt)
            Path(folder, INTERRUPTED).unlink(missing_ok=True)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        super()._save_best_checkpoint(runner, metrics)
        if is_main_process():
            best = getattr(self, 'best_ckpt_path', None)
            self.file_backend.flush(keep=best)
