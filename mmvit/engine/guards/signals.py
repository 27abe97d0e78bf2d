"""Signals that save a run and stop it."""

import contextlib
import os
import signal
import threading
import time
import types
from collections.abc import Callable, Iterator

import torch
from mmengine.dist import (
    all_gather_object,
    all_reduce,
    barrier,
    is_main_process,
)
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import Runner

from mmvit.registry import HOOKS

from .checkpoints import INTERRUPTED, name_last_checkpoint

SIGNALS = (signal.SIGTERM, signal.SIGINT)
EXIT_CODE = os.EX_TEMPFAIL  # 75: the job is not done; try again
# Seconds within which a scheduler and torchrun send the same signal
PATIENCE = 2.0


@contextlib.contextmanager
def postponed_signals() -> Iterator[None]:
    """Let signals wait, and processes that are started here begin so."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def obey_parent_only(initialize: Callable | None, worker_id: int) -> None:
    """Initialize a process that loads data, so that it outlives signals.

    A scheduler sends a signal to all processes of a job, and a terminal
    Ctrl-C. What the training process itself sends still ends this one.
    `initialize` is the `worker_init_fn` that the dataloader had. One may come
    before this is called: start the process in `postponed_signals`.
    """
    # Only a thread that waits for a signal is told who has sent it.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    threading.Thread(target=_wait_for_parent, daemon=True).start()
    if initialize is not None:
        initialize(worker_id)


def _wait_for_parent() -> None:
    while signal.sigwaitinfo(SIGNALS).si_pid != os.getppid():
        pass
    os._exit(0)  # as workers of torch do


class Interrupted(SystemExit):
    """Ends the process with the exit code that asks for another try."""

    code = EXIT_CODE


@HOOKS.register_module()
class StopOnSignalHook(Hook):
    """Saves and stops if a scheduler or Ctrl-C asks for it.

    SIGTERM and SIGINT set a flag. After the iteration that is running, or
    after a batch of the validation, `interrupted.pth` is written and the
    process exits with code 75. `--resume auto` goes on from there. A second
    Ctrl-C, some seconds later, ends the process at once. More SIGTERMs do
    not: launchers send several. The processes that load data ignore both, so
    that a signal to all processes of a job does not stop the loading.

    Args:
        interval: After how many iterations, or batches of a validation,
            several processes ask each other for signals.
    """

    # After every other hook, so after a checkpoint of this iteration
    priority = 'LOWEST'

    def __init__(self, interval: int = 10) -> None:
        self.interval = interval
        self._received: int | None = None
        self._since = 0.0
        self._before: dict[int, Callable | int | None] = {}
        self._in_training, self._can_stop_val = False, True

    def before_train(self, runner: Runner) -> None:  # noqa: ARG002
        """Install the handler, in all processes at once."""
        barrier()
        self._received, self._in_training = None, True
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._before[number] = signal.signal(number, self._receive)

    def after_run(self, runner: Runner) -> None:  # noqa: ARG002
        """Restore the handlers that were there before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before, self._in_training = {}, False

    # GuardedRunner calls this one.
    after_failed_train = after_run

    def _receive(self, number: int, _: types.FrameType | None) -> None:
        now = time.monotonic()
        if self._received is None:
            self._received, self._since = number, now
        elif number == signal.SIGINT and now - self._since > PATIENCE:
            # None is a handler that was not set by Python.
            signal.signal(number, self._before.get(number) or signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def _is_asked(self, runner: Runner, number: int) -> bool:
        """Whether any process has got a signal, after `number` batches."""
        if runner.distributed and number % self.interval:
            return False
        asked = torch.tensor(self._received or 0)
        all_reduce(asked, 'max')
        if asked:  # Otherwise one may have come since.
            self._received = asked.item()
        return bool(asked)

    def after_train_iter(self, runner: Runner, **_: object) -> None:
        """Stop after an iteration."""
        if self._is_asked(runner, runner.iter + 1):
            self._stop(runner, runner.iter + 1)

    def before_val(self, runner: Runner) -> None:
        """See whether all processes have as many batches."""
        number = len(runner.val_dataloader)
        self._can_stop_val = len(set(all_gather_object(number))) == 1

    def after_val_iter(
        self, runner: Runner, batch_idx: int, **_: object
    ) -> None:
        """Stop during a validation of a training; resuming repeats it.

        Several processes finish it first if they have unequal shares.
        """
        if not (self._in_training and self._can_stop_val):
            return
        if not self._is_asked(runner, batch_idx + 1):
            return
        for hook in runner.hooks:
            if isinstance(hook, EMAHook):
                # The validation has swapped in the averaged weights.
                hook._swap_ema_parameters()
        self._stop(runner, runner.iter)

    def _stop(self, runner: Runner, done: int) -> None:
        name = signal.Signals(self._received).name
        runner.save_checkpoint(
            runner.work_dir,
            INTERRUPTED,
            meta=dict(epoch=runner.epoch, iter=done),
            by_epoch=False,
        )
        if is_main_process():
            name_last_checkpoint(runner.work_dir, INTERRUPTED)
        # torchrun ends all processes as soon as one has ended.
        barrier()
        runner.logger.warning(
            f'{name}: stopped after {done} iterations, which '
            f'{INTERRUPTED} holds. --resume goes on from there. Exit code '
            f'{EXIT_CODE}'
        )
        self.after_run(runner)
        raise Interrupted(f'stopped by {name}')
