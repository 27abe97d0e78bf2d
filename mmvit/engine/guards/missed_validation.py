"""A validation that a stopped run has missed."""

from pathlib import Path

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner

from mmvit.registry import HOOKS

from .checkpoints import AtomicBackend


def _is_due(runner: Runner) -> bool:
    loop = runner.train_loop
    by_epoch = isinstance(loop, EpochBasedTrainLoop)
    if by_epoch and runner.iter != runner.epoch * len(runner.train_dataloader):
        return False
    count = runner.epoch if by_epoch else runner.iter
    end = runner.max_epochs if by_epoch else runner.max_iters
    return count >= max(1, loop.val_begin) and (
        count % loop.val_interval == 0 or count == end
    )


@HOOKS.register_module()
class MissedValidationHook(Hook):
    """Validates first if a run was stopped before or during a validation.

    A checkpoint is written before the validation. mmengine would resume with
    the next epoch: the last one would get no metric and could not become the
    best checkpoint.
    """

    priority = 'LOWEST'

    def before_train(self, runner: Runner) -> None:
        """Validate a resumed run if that is due and was not done."""
        if not runner._resume or runner.val_loop is None:
            return
        loop = runner.train_loop
        if not isinstance(loop, (EpochBasedTrainLoop, IterBasedTrainLoop)):
            return
        loop._decide_current_val_interval()
        if _is_due(runner):
            note, done = self._note(runner), [None]
            if is_main_process() and note.is_file():
                done = [note.read_text().strip()]
            broadcast_object_list(done)
            if done[0] != str(runner.iter):
                runner.logger.info(
                    f'validate what was reached in iteration {runner.iter} '
                    'before the run was stopped'
                )
                runner.val_loop.run()

    def after_val_epoch(self, runner: Runner, **_: object) -> None:
        """Note the iteration that was validated."""
        if is_main_process() and runner._train_loop is not None:
            AtomicBackend().put_text(str(runner.iter), self._note(runner))

    @staticmethod
    def _note(runner: Runner) -> Path:
        return Path(runner.work_dir, 'last_validated')
