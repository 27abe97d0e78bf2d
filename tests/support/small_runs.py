"""A small model, its data and its runs, for trying what the engine does.

The model has random layers and running statistics, and the data have noise of
all generators: whatever a resumed run does not restore changes its weights.
"""

import random
from pathlib import Path

import mmengine.runner.runner
import numpy as np
import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import Dataset

from mmvit.engine import GuardedRunner
from mmvit.registry import MODELS

SAMPLES, BATCH = 8, 2
EPOCHS = 6
ITERS = EPOCHS * SAMPLES // BATCH
ARCH = dict(
    embed_dims=(8, 8, 8, 16),
    depths=(1, 1, 1, 1),
    num_heads=(1, 1, 1, 2),
    mlp_ratios=(2, 2, 2, 2),
    sr_ratios=(4, 2, 1, 1),
)


class NoisyScenes(Dataset):
    """Images with noise of Python's, NumPy's and torch's generators."""

    metainfo: dict = {}

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = torch.full((3, 32, 32), index / SAMPLES)
        image += torch.randn(3, 32, 32) * random.uniform(0.1, 0.5)
        image += float(np.random.normal())
        return image, index % 2


class SmallClassifier(BaseModel):
    """A PVT with a block in each stage, batch normalization and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = MODELS.build(
            dict(
                type='mmvit.PVT',
                arch=ARCH,
                img_size=32,
                out_indices=(3,),
                drop_path_rate=0.3,
            )
        )
        self.norm = nn.BatchNorm1d(16)
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(16, 2)

    def forward(self, inputs: list, mode: str) -> dict | Tensor:
        images = torch.stack([image for image, _ in inputs])
        features = self.backbone(images)[-1].mean(dim=(2, 3))
        scores = self.head(self.drop(self.norm(features)))
        if mode != 'loss':
            return scores
        labels = torch.tensor([label for _, label in inputs])
        return dict(loss=F.cross_entropy(scores, labels))

    def _run_forward(self, data: list, mode: str) -> dict | Tensor:
        return self(data, mode)


def noisy_loader(by_epoch: bool, **options) -> dict:
    """Config of a dataloader of `NoisyScenes`.

    Args:
        by_epoch: Whether its sampler has epochs.
        options: Keys that are added or replaced.
    """
    sampler = 'DefaultSampler' if by_epoch else 'InfiniteSampler'
    return {
        'batch_size': BATCH,
        'num_workers': 0,
        'dataset': NoisyScenes(),
        'sampler': dict(type=sampler, shuffle=True),
        'collate_fn': dict(type=list),
        **options,
    }


def make_runner(
    work_dir: Path,
    by_epoch: bool,
    keep: int = 1,
    runner_type: type = GuardedRunner,
    **options,
) -> Runner:
    """Build a short training.

    Args:
        work_dir: Its folder.
        by_epoch: Whether its loop counts epochs or iterations.
        keep: How many checkpoints it keeps.
        runner_type: The runner's class.
        options: Arguments of the runner that are added or replaced.
    """
    torch.set_num_threads(1)
    # Asking compilers for their versions takes longer than the training.
    mmengine.runner.runner.collect_env = dict
    torch.manual_seed(0)
    arguments = dict(
        model=SmallClassifier(),
        work_dir=str(work_dir),
        train_dataloader=noisy_loader(by_epoch),
        train_cfg=dict(by_epoch=True, max_epochs=EPOCHS)
        if by_epoch
        else dict(by_epoch=False, max_iters=ITERS),
        optim_wrapper=dict(
            optimizer=dict(type='AdamW', lr=1e-3), clip_grad=dict(max_norm=1.0)
        ),
        param_scheduler=dict(
            type='CosineAnnealingLR', T_max=ITERS, by_epoch=False
        ),
        custom_hooks=[dict(type='EMAHook')],
        default_hooks=dict(
            checkpoint=dict(
                type='CheckpointHook',
                by_epoch=by_epoch,
                interval=1 if by_epoch else 3,
                max_keep_ckpts=keep,
            )
        ),
        randomness=dict(seed=0),
        log_level='ERROR',
        experiment_name=Path(work_dir).name,
        resume='auto',
    )
    return runner_type(**{**arguments, **options})


def same(first: object, second: object) -> bool:
    """Whether two checkpoints' contents are equal, bit for bit."""
    if isinstance(first, Tensor):
        return first.dtype == second.dtype and torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(
            same(first[key], second[key]) for key in first
        )
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(same, first, second))
    return first == second
