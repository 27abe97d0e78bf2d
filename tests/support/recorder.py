"""Hooks for runs of several processes; configs import this module."""

import json
import os
import signal
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import all_reduce, get_rank, is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


def record(cfg: Config, path: Path) -> Config:
    """Let a config's training write its losses to a file."""
    cfg.custom_imports = dict(imports=[__name__], allow_failed_imports=False)
    cfg.custom_hooks = [dict(type='RecordLoss', path=str(path))]
    return cfg


@HOOKS.register_module()
class RecordLoss(Hook):
    """Writes the loss of each iteration, the mean over all processes."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.losses = []

    def after_train_iter(
        self, runner, batch_idx, data_batch=None, outputs=None
    ) -> None:
        loss = torch.as_tensor(outputs['loss']).detach().clone()
        all_reduce(loss, 'mean')
        self.losses.append(loss.item())
        if is_main_process():
            Path(self.path).write_text(json.dumps(self.losses))


@HOOKS.register_module()
class FailOnOneRank(Hook):
    """Raises in the second process, and notes when in a file's time.

    Args:
        path: The file.
        kill: Whether it is killed instead.
    """

    def __init__(self, path: str, kill: bool = False) -> None:
        self.path = path
        self.kill = kill

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if get_rank() == 1:
            Path(self.path).touch()
            if self.kill:
                os.kill(os.getpid(), signal.SIGKILL)
            raise ValueError('the second process gives up')


@HOOKS.register_module()
class SignalOnOneRank(Hook):
    """Sends SIGTERM to the second process.

    Args:
        at: Before which iteration.
    """

    def __init__(self, at: int) -> None:
        self.at = at

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if get_rank() == 1 and runner.iter == self.at:
            os.kill(os.getpid(), signal.SIGTERM)
