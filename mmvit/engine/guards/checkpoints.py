"""Checkpoint files that are whole or not there."""

import contextlib
import errno
import os
import os.path as osp
import re
import shutil
import socket
import zipfile
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend
from mmengine.fileio.backends import BaseStorageBackend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from mmvit.registry import HOOKS
from mmvit.utils.log import warn

# Name of `AtomicBackend`, which GuardedRunner registers
ATOMIC = 'mmvit.atomic'
# Checkpoint of a run that a signal has stopped
INTERRUPTED = 'interrupted.pth'
_UNFINISHED = '.unfinished'


def _why(error: OSError, size: int, folder: str) -> str | None:
    """Say what to do if a file has no place; None for other errors."""
    if error.errno == errno.EFBIG:
        return 'the limit of the size of a file (ulimit -f) is smaller'
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(folder).free / 2**20
        return (
            f'{size / 2**20:.1f} MiB do not fit, {free:.1f} MiB are free '
            'there, if no quota is smaller'
        )
    return None


def explain_full_disk(error: BaseException, work_dir: str) -> None:
    """Raise an error with the free space, if a file had no place.

    Raises:
        OSError: If that is what the error is about, and it names no file.
    """
    if not isinstance(error, OSError) or error.filename is not None:
        return
    why = _why(error, 0, osp.dirname(work_dir))
    if why and work_dir not in str(error):
        raise OSError(
            error.errno,
            f'{error.strerror}: a file in {work_dir}, such as a log, cannot '
            f'be written: {why}. The checkpoints are whole: make room, then '
            '--resume',
        ) from error


class AtomicBackend(LocalBackend):
    """Local files that a kill in the middle of a write cannot spoil.

    A file is written under another name beside the target, which no other
    process uses, synced to the disk, and renamed last.
    """

    def put(self, obj: bytes, filepath: str) -> None:
        """Write bytes to a file."""
        folder = osp.dirname(filepath) or '.'
        os.makedirs(folder, exist_ok=True)
        owner = f'{socket.gethostname()}-{os.getpid()}'
        unfinished = f'{filepath}.{owner}{_UNFINISHED}'
        try:
            self.write(obj, unfinished)
        except OSError as error:
            # Free the space that was taken.
            with contextlib.suppress(OSError):
                os.remove(unfinished)
            why = _why(error, len(obj), folder)
            if why is None:
                raise
            raise OSError(
                error.errno,
                f'{error.strerror}: {filepath} cannot be written: {why}. The '
                'checkpoints before it are whole: make room '
                '(default_hooks.checkpoint.max_keep_ckpts keeps fewer), then '
                '--resume',
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


def _is_being_written(path: Path) -> bool:
    match = re.search(rf'-(\d+){re.escape(_UNFINISHED)}$', path.name)
    if not match or f'.{socket.gethostname()}-' not in path.name:
        return False
    try:
        os.kill(int(match[1]), 0)  # asks only whether the process exists
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass
    return True


def remove_unfinished(folder: str) -> None:
    """Remove the unfinished checkpoints that killed runs have left."""
    for path in Path(folder).glob(f'*{_UNFINISHED}'):
        if not _is_being_written(path):
            path.unlink(missing_ok=True)


def newest_checkpoint(work_dir: str) -> str | None:
    """Find the newest whole checkpoint in a run's folder.

    The file that `last_checkpoint` names comes first, then the run's other
    checkpoints, newest first. A damaged one is reported and passed over.
    """
    for path in _candidates(work_dir):
        if _is_whole(path):
            return path
        warn(f'{path} is missing, damaged or cut off: an older one is tried')
    return None


def _named(work_dir: str) -> list[str]:
    """Read which checkpoint `last_checkpoint` names, if it names one."""
    path = osp.join(work_dir, 'last_checkpoint')
    try:
        name = Path(path).read_bytes().decode().strip()
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        warn(f'{path} cannot be read and is not used: {error}')
        return []
    if not name or not name.isprintable():
        warn(f'{path} holds no name of a file and is not used')
        return []
    # A relative name, or a path from before the folder was moved
    last = osp.normpath(osp.join(work_dir, name))
    if not osp.isfile(last):
        last = osp.join(work_dir, osp.basename(name))
    return [last]


def _candidates(work_dir: str) -> list[str]:
    first = _named(work_dir)
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

    Old files are removed after the new one is written, not before. If a run
    is killed in between, the one that resumes it removes them.
    `last_checkpoint` holds a name relative to its folder, so that a work
    directory can be moved. A checkpoint of the moment of a validation is
    saved again when all hooks have used the metrics, so that it holds what
    they changed. The arguments are those of mmengine's hook.
    """

    # The iteration of the last save, and whether a validation asks for one
    _saved_iter: int | None = None
    _in_validation = False
    _is_best = False
    # Files that the checkpoint which is resumed has replaced
    _replaced: tuple[str, ...] = ()

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
        if runner._resume and runner._load_from:
            self._saved_iter, self.last_ckpt = runner.iter, runner._load_from
            if is_main_process():
                self._remove_replaced(runner)
        if is_main_process() and '://' not in self.out_dir:
            remove_unfinished(self.out_dir)

    def _remove_replaced(self, runner: Runner) -> None:
        """Remove what was replaced in this folder before a kill."""
        folder, last = osp.split(osp.realpath(runner._load_from))
        if folder == osp.realpath(self.out_dir):
            for name in map(osp.basename, self._replaced):
                home = runner.work_dir if name == INTERRUPTED else folder
                if name.endswith('.pth') and name != last:
                    Path(home, name).unlink(missing_ok=True)

    def _here(self, path: str) -> str:
        return self.file_backend.join_path(self.out_dir, osp.basename(path))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Note which files this checkpoint replaces."""
        backend = getattr(self, 'file_backend', None)
        pending = getattr(backend, 'pending', ())
        names = [osp.basename(path) for _, path in pending]
        if Path(runner.work_dir, INTERRUPTED).exists():
            names.append(INTERRUPTED)
        checkpoint['meta']['replaced'] = names

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Read which files the checkpoint has replaced."""
        if runner._resume:
            self._replaced = checkpoint.get('meta', {}).get('replaced', ())

    def after_val_epoch(self, runner: Runner, metrics: dict) -> None:
        """Save the best checkpoint."""
        self._in_validation, self._is_best = True, False
        super().after_val_epoch(runner, metrics)
        self._in_validation = False

    def after_val(self, runner: Runner) -> None:
        """Save with what the validation has changed."""
        if self._saved_iter is None:
            return  # not within a training
        if self._is_best or self._saved_iter == runner.iter:
            step = runner.epoch if self.by_epoch else runner.iter
            meta = dict(epoch=runner.epoch, iter=runner.iter)
            self._save_checkpoint_with_step(runner, step, meta)

    def _save_checkpoint_with_step(
        self, runner: Runner, step: int, meta: dict
    ) -> None:
        if self._in_validation:
            self._is_best = True  # `after_val` saves it.
            return
        self._saved_iter = meta['iter']
        super()._save_checkpoint_with_step(runner, step, meta)
        if is_main_process():
            folder = runner.work_dir
            name_last_checkpoint(folder, osp.relpath(self.last_ckpt, folder))
            self.file_backend.flush(keep=self.last_ckpt)
            Path(folder, INTERRUPTED).unlink(missing_ok=True)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        wanted = getattr(self, 'key_indicators', ())
        if not {*wanted} <= {*metrics} and all(
            name.startswith('val_') for name in metrics
        ):
            # Such as those of a detector that has not found anything yet.
            runner.logger.warning(
                f'no best checkpoint: this validation has no metric, such as '
                f'{wanted[0]}, but losses only'
            )
            return
        for name in {*wanted} - {*metrics, None, 'auto'}:
            raise ValueError(
                f'save_best is {name!r}, and the validation has measured '
                f'{", ".join(metrics)}: set '
                'default_hooks.checkpoint.save_best to one of these'
            )
        super()._save_best_checkpoint(runner, metrics)
        if is_main_process() and not self._is_best:
            best = getattr(self, 'best_ckpt_path', None)
            self.file_backend.flush(keep=best)
