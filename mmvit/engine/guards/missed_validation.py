"""A validation that a stopped run has missed."""

from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner

from mmvit.registry import HOOKS


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
    the next epoch: the last one would get no metric, could not become the
    best checkpoint, and would count neither for schedules nor for stopping
    early. Each checkpoint holds the last iteration whose validation has had
    its effects.
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self._validated: int | None = None

    def before_train(self, runner: Runner) -> None:
        """Validate a resumed run if that is due and was not done."""
        if not runner._resume or runner.val_loop is None:
            return
        loop = runner.train_loop
        if not isinstance(loop, (EpochBasedTrainLoop, IterBasedTrainLoop)):
            return
        loop._decide_current_val_interval()
        if self._validated != runner.iter and _is_due(runner):
            runner.logger.info(
                f'validate what was reached in iteration {runner.iter} '
                'before the run was stopped'
            )
            runner.val_loop.run()

    def after_val_epoch(self, runner: Runner, **_: object) -> None:
        """Note the iteration that was validated."""
        if runner._train_loop is not None:
            self._validated = runner.iter

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:  # noqa: ARG002
        """Add it to a checkpoint."""
        checkpoint['meta']['validated'] = self._validated

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Read it from the checkpoint that is resumed."""
        if runner._resume:
            self._validated = checkpoint.get('meta', {}).get('validated')
