"""What guards and hooks ask about a run."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from mmengine.dist import (
    broadcast_object_list,
    get_world_size,
    is_main_process,
)
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

T = TypeVar('T')


def unwrap(model: nn.Module) -> nn.Module:
    """Return the network inside distributed and test-time wrappers."""
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    return model


def from_main(find: Callable[[], T]) -> T:
    """Call a function in the main process; return its result in all."""
    found = [find() if is_main_process() else None]
    broadcast_object_list(found)
    return found[0]


def wrappers_of(runner: Runner) -> list[OptimWrapper]:
    """Return the optimizer wrappers of a run; most runs have one."""
    wrapper = runner.optim_wrapper
    several = isinstance(wrapper, OptimWrapperDict)
    return list(wrapper.values()) if several else [wrapper]


def learning_rates(wrappers: list[OptimWrapper]) -> str:
    """Write out the learning rate, or the lowest and the highest one."""
    rates = sorted({lr for w in wrappers for lr in w.get_lr()['lr']})
    shown = f'{rates[0]:.6g}'
    return f'{shown} to {rates[-1]:.6g}' if len(rates) > 1 else shown


def batch_size_of(loader: DataLoader) -> int:
    """Return the number of images in a batch of one process."""
    return loader.batch_size or loader.batch_sampler.batch_size


class UpdateBatch(NamedTuple):
    """The images of one update of the weights."""

    world_size: int
    batch_size: int  # images of one process
    accumulative_counts: int  # batches whose gradients are accumulated

    @property
    def images_per_iter(self) -> int:
        """Images of one iteration, in all processes."""
        return self.world_size * self.batch_size

    @property
    def images(self) -> int:
        """Images of one update."""
        return self.images_per_iter * self.accumulative_counts

    def __str__(self) -> str:
        return (
            f'{self.world_size} processes x {self.batch_size} images x '
            f'{self.accumulative_counts} accumulated = {self.images}'
        )


def update_batch(runner: Runner) -> UpdateBatch:
    """Return the batch of an update of a run."""
    return UpdateBatch(
        world_size=get_world_size(),
        batch_size=batch_size_of(runner.train_dataloader),
        accumulative_counts=wrappers_of(runner)[0]._accumulative_counts,
    )
