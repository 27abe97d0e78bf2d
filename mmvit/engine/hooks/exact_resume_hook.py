from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmvit.registry import HOOKS

from ..random_states import gather_states, get_states, set_states
from ..resuming import (
    check_optimizer,
    describe,
    pending_gradients,
    place_in_data,
    report_differences,
    restore_gradients,
)


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Makes a resumed run what an uninterrupted one would have been.

    Checkpoints get the random states of all processes, the place in the data
    and gradients that are not used yet; a resumed run takes them back, or
    says what will differ. Validation leaves the random states alone.
    """

    # Before other hooks draw numbers.
    priority = 'HIGHEST'

    def __init__(self) -> None:
        self._before_val: dict | None = None
        self._gathered: dict | None = None
        self._saved: dict | None = None

    def before_val(self, runner: Runner) -> None:  # noqa: ARG002
        """Remember the random states."""
        self._before_val = get_states()

    def after_val(self, runner: Runner) -> None:  # noqa: ARG002
        """Set them back."""
        if self._before_val is not None:
            set_states(self._before_val)
            self._before_val = None

    def gather_for_checkpoint(self, runner: Runner) -> None:
        """Collect what the processes have; GuardedRunner calls it in all."""
        after_val = self._before_val
        if after_val is not None:
            inside = get_states()
            set_states(after_val)
        self._gathered = dict(
            random_states=gather_states(),
            gradients=pending_gradients(runner),
        )
        if after_val is not None:
            set_states(inside)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the run's state, in the main process."""
        # mmengine's own Runner does not gather.
        states = self._gathered or dict(
            random_states=[self._before_val or get_states()]
        )
        self._gathered = None
        meta = checkpoint['meta']
        batches = 0
        if isinstance(runner.train_loop, EpochBasedTrainLoop):
            passed = meta['epoch'] * len(runner.train_dataloader)
            batches = max(0, meta['iter'] - passed)
        meta['run'] = dict(describe(runner), batches=batches, **states)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check that the checkpoint can be continued.

        Raises:
            ValueError: If the optimizer is another one.
        """
        if not runner._resume:
            return
        check_optimizer(runner, checkpoint)
        self._saved = checkpoint.get('meta', {}).get('run')
        if self._saved is None:
            runner.logger.warning(
                f'{runner._load_from} holds no random states: what is drawn '
                'from here on is not what an uninterrupted run would have '
                'drawn'
            )

    def before_train(self, runner: Runner) -> None:
        """Go to the place in the data."""
        if self._saved is not None:
            if not report_differences(runner, self._saved):
                self._saved.pop('gradients', None)
                if self._saved['world_size'] != runner.world_size:
                    self._saved.pop('random_states', None)
            self._saved['batches'] = place_in_data(runner, self._saved)

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the random states where an epoch begins."""
        if (
            self._saved is not None
            and isinstance(runner.train_loop, EpochBasedTrainLoop)
            and not self._saved['batches']
        ):
            self._restore(runner)

    def before_train_iter(
        self,
        runner: Runner,
        batch_idx: int,  # noqa: ARG002
        data_batch: object = None,  # noqa: ARG002
    ) -> None:
        """Set the random states where the run was left inside an epoch."""
        if self._saved is not None:
            self._restore(runner)

    def _restore(self, runner: Runner) -> None:
        states = self._saved.get('random_states', [])
        if runner.rank < len(states):
            set_states(states[runner.rank])
        restore_gradients(runner, self._saved.get('gradients', {}))
        self._saved = None
