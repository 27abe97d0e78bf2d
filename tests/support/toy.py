"""A model of three parameters, for what the Runner does around a model."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import mmengine.runner.runner
import torch
from mmengine.evaluator import BaseMetric
from mmengine.fileio import LocalBackend
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.utils.data import Dataset

from mmvit.engine import GuardedRunner


class ToyData(Dataset):
    """Four samples."""

    metainfo: dict = {}

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Tensor:
        return torch.full((2,), float(index))


class ToyModel(BaseModel):
    """A linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 1)

    def forward(self, inputs: list[Tensor], mode: str) -> dict | Tensor:
        out = self.linear(torch.stack(inputs))
        return dict(loss=out.square().mean()) if mode == 'loss' else out

    def train_step(self, data: list[Tensor], optim_wrapper: object) -> dict:
        losses = self(data, mode='loss')
        optim_wrapper.update_params(losses['loss'])
        return losses

    def val_step(self, data: list[Tensor]) -> Tensor:
        return self(data, mode='predict')


class ToyMetric(BaseMetric):
    """Gives the scores that it was told, one at each validation."""

    def __init__(self, scores: list[float]) -> None:
        super().__init__()
        self.scores = list(scores)

    def process(self, data_batch: object, data_samples: object) -> None:
        self.results.append(0)

    def compute_metrics(self, results: list) -> dict:
        score = self.scores.pop(0)
        return dict(val_loss=1.0) if score is None else dict(score=score)


def toy_runner(
    work_dir: Path,
    epochs: int = 3,
    scores: list[float] | None = None,
    checkpoint: dict | None = None,
    **kwargs,
) -> GuardedRunner:
    """Build a runner that saves each epoch and keeps the last checkpoint.

    Args:
        work_dir: The run's folder.
        epochs: How many to train, of two iterations each.
        scores: What the validation after each epoch finds, None where it
            finds a loss only; None: no validation.
        checkpoint: Arguments of the checkpoint hook.
        kwargs: Arguments of the Runner.
    """
    loader = dict(
        batch_size=2,
        num_workers=0,
        dataset=ToyData(),
        sampler=dict(type='DefaultSampler', shuffle=True),
    )
    if scores is not None:
        kwargs.update(
            val_dataloader=loader,
            val_cfg=dict(),
            val_evaluator=[ToyMetric(scores)],
        )
    torch.manual_seed(0)
    hook = dict(type='CheckpointHook', interval=1, max_keep_ckpts=1)
    return GuardedRunner(
        ToyModel(),
        str(work_dir),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(checkpoint={**hook, **(checkpoint or {})}),
        randomness=dict(seed=0),
        experiment_name=Path(work_dir).name,
        **{
            'train_dataloader': loader,
            'train_cfg': dict(by_epoch=True, max_epochs=epochs),
            **kwargs,
        },
    )


def _kill_at(holder: object, name: str, when: Callable[..., bool]) -> None:
    """Let this process kill itself where a function would be called."""
    function = getattr(holder, name)

    def deadly(*args, **kwargs) -> object:
        if when(*args):
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)

    setattr(holder, name, deadly)


def _written(number: object) -> str:
    return os.path.basename(os.readlink(f'/proc/self/fd/{number}'))


def train_until_killed(work_dir: Path, moment: str) -> None:
    """Train in this process, which kills itself at a moment of the saving.

    Args:
        work_dir: The run's folder.
        moment: One of: 'write', 'rename' (of the second checkpoint),
            'last_checkpoint' (while that is rewritten for it), 'removal' (of
            the first checkpoint).
    """
    torch.set_num_threads(1)
    # Asking compilers for their versions takes longer than the training.
    mmengine.runner.runner.collect_env = dict
    if moment == 'write':
        _kill_at(os, 'fsync', lambda fd: _written(fd).startswith('epoch_2'))
    elif moment == 'rename':
        _kill_at(os, 'replace', lambda _, target: 'epoch_2' in target)
    elif moment == 'last_checkpoint':
        wrote = work_dir / 'epoch_2.pth'
        _kill_at(
            os,
            'fsync',
            lambda fd: 'last_check' in _written(fd) and wrote.exists(),
        )
    elif moment == 'removal':
        _kill_at(LocalBackend, 'remove', lambda *_: True)
    toy_runner(work_dir).train()
