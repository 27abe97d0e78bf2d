"""Hooks for runs of several processes; configs import this module."""

import json
from pathlib import Path

import torch
from mmengine.dist import all_reduce, get_rank, is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


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
    """Raises in the second process, and notes when in a file's time."""

    def __init__(self, path: str) -> None:
        self.path = path

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if get_rank() == 1:
            Path(self.path).touch()
            raise ValueError('the second process gives up')
