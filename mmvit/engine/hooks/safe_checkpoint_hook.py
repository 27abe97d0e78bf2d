import os
import os.path as osp

from mmengine.dist import is_main_process
from mmengine.fileio import get_file_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from mmvit.registry import HOOKS

from ..checkpointing import ATOMIC, INTERRUPTED


class _LateRemoval:
    """A file backend that keeps what it is told to remove, until `flush`."""

    def __init__(self, backend: object) -> None:
        self.backend = backend
        self.pending: list[tuple[str, str]] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.backend, name)

    def remove(self, path: str) -> None:
        self.pending.append(('remove', path))

    def rmtree(self, path: str) -> None:
        self.pending.append(('rmtree', path))

    def flush(self, keep: str | None) -> None:
        for how, path in self.pending:
            if path != keep and self.backend.exists(path):
                getattr(self.backend, how)(path)
        self.pending = []


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's CheckpointHook, which always leaves a checkpoint.

    Outdated files are removed after the new one is written, not before, and
    `last_checkpoint` holds a name relative to its folder, so that a work
    directory can be moved. Arguments are those of mmengine's hook.
    """

    def before_train(self, runner: Runner) -> None:
        super().before_train(runner)
        self.file_backend = _LateRemoval(self.file_backend)
        # After a resume the best files are where the checkpoint was written,
        # which need not be here.
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
            get_file_backend(backend_args=dict(backend=ATOMIC)).put_text(
                osp.relpath(self.last_ckpt, folder),
                osp.join(folder, 'last_checkpoint'),
            )
            self.file_backend.flush(keep=self.last_ckpt)
            interrupted = osp.join(folder, INTERRUPTED)
            if osp.isfile(interrupted):
                os.remove(interrupted)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        super()._save_best_checkpoint(runner, metrics)
        if is_main_process():
            best = getattr(self, 'best_ckpt_path', None)
            self.file_backend.flush(keep=best)
