"""Samplers that seed each sample and can start in the middle of a pass."""

import itertools
from collections.abc import Iterator

import numpy as np
import torch
from mmengine.dist import get_world_size
from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from torch.utils.data import DataLoader, Dataset, Sampler

from mmvit.registry import DATA_SAMPLERS

from .run_facts import batch_size_of


class SeededIndex(int):
    """Index of a sample, with the seed of its augmentation."""

    seed: int

    def __new__(cls, index: int, seed: int) -> 'SeededIndex':
        self = super().__new__(cls, index)
        self.seed = seed
        return self

    def __reduce__(self) -> tuple:
        return type(self), (int(self), self.seed)


class _Resumable(Sampler):
    """Another sampler, of which a pass can leave out the beginning."""

    def __init__(self, cfg: dict, defaults: dict) -> None:
        self.inner = MMENGINE_DATA_SAMPLERS.build(cfg, default_args=defaults)
        self._skipped = 0

    def skip(self, number: int) -> None:
        """Leave out the first items of the next pass only."""
        self._skipped = number

    def __iter__(self) -> Iterator:
        # What was before decides what is in a batch: it is drawn, too. All
        # waits for the first item: loaders with workers make two iterators.
        skipped, self._skipped = self._skipped, 0
        yield from itertools.islice(self.inner, skipped, None)

    def __len__(self) -> int:
        return len(self.inner)

    def __getattr__(self, name: str) -> object:
        # Batch samplers ask for the dataset, loops for `set_epoch`.
        return getattr(self.__dict__['inner'], name)


@DATA_SAMPLERS.register_module()
class SeededSampler(_Resumable):
    """Adds a seed to each index of another sampler.

    The seed is drawn from the run's seed, the epoch, and the position in the
    epoch's order over all processes. It differs in each epoch and does not
    depend on how many processes share the work.

    Args:
        dataset: The data set.
        sampler: Config of the other sampler. A sampler without epochs is
            taken to be endless.
        seed: The seed that the other sampler shuffles with.
        sample_seed: The run's seed, from which the samples' seeds are drawn.
    """

    def __init__(
        self,
        dataset: Dataset,
        sampler: dict,
        seed: int | None = None,
        sample_seed: int | None = None,
    ) -> None:
        super().__init__(sampler, dict(dataset=dataset, seed=seed))
        self.sample_seed = sample_seed or 0

    def __iter__(self) -> Iterator[SeededIndex]:
        epoch = getattr(self.inner, 'epoch', 0)
        world_size = getattr(self.inner, 'world_size', get_world_size())
        rank = getattr(self.inner, 'rank', 0)
        first = rank + self._skipped * world_size
        positions = itertools.count(first, world_size)
        for position, index in zip(positions, super().__iter__()):
            entropy = [self.sample_seed, epoch, position]
            (seed,) = np.random.SeedSequence(entropy).generate_state(1)
            yield SeededIndex(index, int(seed))


@DATA_SAMPLERS.register_module()
class ResumableBatchSampler(_Resumable):
    """Lets another batch sampler, given by a config, start within a pass."""

    def __init__(
        self, sampler: Sampler, batch_size: int, batch_sampler: dict
    ) -> None:
        defaults = dict(sampler=sampler, batch_size=batch_size)
        super().__init__(batch_sampler, defaults)


def seeded(cfg: dict, seed: int | None) -> dict:
    """Wrap the samplers in a dataloader's config."""
    cfg, inner = dict(cfg), cfg.get('batch_sampler')
    cfg['sampler'] = dict(
        type='mmvit.SeededSampler', sampler=cfg['sampler'], sample_seed=seed
    )
    if isinstance(inner, dict):
        cfg['batch_sampler'] = dict(
            type='mmvit.ResumableBatchSampler', batch_sampler=inner
        )
    # Otherwise each pass draws a number from the model's generator.
    cfg.setdefault('generator', torch.Generator())
    return cfg


def seeded_sampler_of(loader: DataLoader) -> SeededSampler | None:
    """Return a dataloader's sampler if GuardedRunner built it, else None."""
    sampler = getattr(loader.batch_sampler, 'sampler', None)
    return sampler if isinstance(sampler, SeededSampler) else None


def skip_batches(loader: DataLoader, num_batches: int) -> bool:
    """Let a dataloader's next pass begin after so many batches.

    Nothing of them is loaded. It returns whether that is possible: it is for
    dataloaders that GuardedRunner built.
    """
    sampler, items = loader.batch_sampler, num_batches
    if not isinstance(sampler, ResumableBatchSampler):
        sampler = seeded_sampler_of(loader)
        items *= batch_size_of(loader)
    if sampler is None:
        return False
    sampler.skip(items)
    return True


class EndlessBatches:
    """Endless batches, for loops that count iterations.

    Unlike mmengine's iterator it can start in the middle of a later pass, also
    with another number of GPUs, and it does not wait between passes.

    Args:
        loader: A dataloader that GuardedRunner built.
    """

    def __init__(self, loader: DataLoader) -> None:
        self.loader = loader
        # Images per iteration of the run that is resumed
        self.resumed_images: int | None = None
        self._epoch = 0
        self._iterator: Iterator | None = None

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> object:
        # Not earlier: workers begin to load as soon as it is made.
        if self._iterator is None:
            self._iterator = iter(self.loader)
        try:
            return next(self._iterator)
        except StopIteration:
            self._epoch += 1
            seeded_sampler_of(self.loader).set_epoch(self._epoch)
            self._iterator = iter(self.loader)
            return next(self._iterator)

    def skip_iter(self, num_iters: int) -> None:
        """Go to where a resumed run was after so many iterations."""
        if self.resumed_images:
            images = batch_size_of(self.loader) * get_world_size()
            num_iters = num_iters * self.resumed_images // images
        sampler = seeded_sampler_of(self.loader)
        if hasattr(sampler, 'epoch'):
            self._epoch, num_iters = divmod(num_iters, len(self.loader))
            sampler.set_epoch(self._epoch)
        skip_batches(self.loader, num_iters)
