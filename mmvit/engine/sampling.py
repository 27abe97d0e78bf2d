"""Samples that are seeded one by one, and named when they cannot be loaded."""

import contextlib
import itertools
import logging
import multiprocessing
import random
from collections.abc import Iterator

import numpy as np
import torch
from mmengine.dist import get_world_size
from mmengine.logging import print_log
from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from torch.utils.data import DataLoader, Dataset, Sampler

from mmvit.registry import DATA_SAMPLERS


class SampleError(RuntimeError):
    """A sample cannot be loaded; the message names its files."""


class SeededIndex(int):
    """Index of a sample, with the seed of its augmentation."""

    seed: int

    def __new__(cls, index: int, seed: int) -> 'SeededIndex':
        self = super().__new__(cls, index)
        self.seed = seed
        return self

    def __reduce__(self) -> tuple:
        return type(self), (int(self), self.seed)


@DATA_SAMPLERS.register_module()
class SeededSampler(Sampler):
    """Gives the indices of another sampler a seed each.

    The seed follows from the run's seed, the epoch and the position in the
    epoch's order over all processes: it differs in each epoch, and does not
    depend on how many processes share the work.

    Args:
        dataset: The data set.
        sampler: Dict of the other sampler. One without epochs is taken to be
            endless.
        seed: What the other sampler shuffles with.
        sample_seed: What the samples' seeds are drawn from.
    """

    def __init__(
        self,
        dataset: Dataset,
        sampler: dict,
        seed: int | None = None,
        sample_seed: int | None = None,
    ) -> None:
        self.sampler = MMENGINE_DATA_SAMPLERS.build(
            sampler, default_args=dict(dataset=dataset, seed=seed)
        )
        self.sample_seed = sample_seed or 0
        self._skipped = 0

    @property
    def endless(self) -> bool:
        """Whether it has no epochs."""
        return not hasattr(self.sampler, 'epoch')

    def __iter__(self) -> Iterator[SeededIndex]:
        epoch = getattr(self.sampler, 'epoch', 0)
        world_size = getattr(self.sampler, 'world_size', get_world_size())
        rank = getattr(self.sampler, 'rank', 0)
        skipped, self._skipped = self._skipped, 0
        indices = itertools.islice(self.sampler, skipped, None)
        positions = itertools.count(rank + skipped * world_size, world_size)
        for position, index in zip(positions, indices):
            sequence = np.random.SeedSequence(
                [self.sample_seed, epoch, position]
            )
            yield SeededIndex(index, int(sequence.generate_state(1)[0]))

    def __len__(self) -> int:
        return len(self.sampler)

    def __getattr__(self, name: str) -> object:
        # Batch samplers ask for the dataset, loops for `set_epoch`.
        return getattr(self.__dict__['sampler'], name)

    def skip(self, num_samples: int) -> None:
        """Leave out the first samples of the next pass."""
        self._skipped = num_samples


@DATA_SAMPLERS.register_module()
class ResumableBatchSampler(Sampler):
    """A batch sampler that can go on in the middle of a pass.

    Args:
        sampler: What gives the indices.
        batch_size: Their number in a batch.
        batch_sampler: Dict of the batch sampler that draws them.
    """

    def __init__(
        self, sampler: Sampler, batch_size: int, batch_sampler: dict
    ) -> None:
        self.batch_sampler = MMENGINE_DATA_SAMPLERS.build(
            batch_sampler,
            default_args=dict(sampler=sampler, batch_size=batch_size),
        )
        self._skipped = 0

    def __iter__(self) -> Iterator[list[int]]:
        skipped, self._skipped = self._skipped, 0
        # Which indices make a batch depends on those before.
        yield from itertools.islice(self.batch_sampler, skipped, None)

    def __len__(self) -> int:
        return len(self.batch_sampler)

    def __getattr__(self, name: str) -> object:
        return getattr(self.__dict__['batch_sampler'], name)

    def skip_batches(self, num_batches: int) -> None:
        """Leave out the first batches of the next pass."""
        self._skipped = num_batches


def batch_size_of(loader: DataLoader) -> int:
    """Images in a batch of one process."""
    return loader.batch_size or loader.batch_sampler.batch_size


def seeded_sampler_of(loader: DataLoader) -> SeededSampler | None:
    """The sampler of a dataloader that GuardedRunner built, else None."""
    for sampler in (
        loader.sampler,
        getattr(loader.batch_sampler, 'sampler', None),
    ):
        if isinstance(sampler, SeededSampler):
            return sampler
    return None


def skip_batches(loader: DataLoader, num_batches: int) -> bool:
    """Let the next pass of a dataloader begin later.

    Only numbers are skipped, nothing is loaded.

    Returns:
        Whether that is possible: for what GuardedRunner built.
    """
    if isinstance(loader.batch_sampler, ResumableBatchSampler):
        loader.batch_sampler.skip_batches(num_batches)
        return True
    sampler = seeded_sampler_of(loader)
    if sampler is None:
        return False
    sampler.skip(num_batches * batch_size_of(loader))
    return True


class EndlessBatches:
    """Batches without an end, for loops that count iterations.

    Like mmengine's iterator, but it goes on in the middle of a pass also
    where several processes load, and does not wait between passes.

    Args:
        loader: A dataloader that GuardedRunner built.
    """

    def __init__(self, loader: DataLoader) -> None:
        self.loader = loader
        # Of the run that is resumed, if it had another one.
        self.resumed_batch: int | None = None
        self._epoch = 0
        self._iterator: Iterator | None = None

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> object:
        # Only now, since workers begin to load at once.
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
        if self.resumed_batch:
            total = batch_size_of(self.loader) * get_world_size()
            num_iters = num_iters * self.resumed_batch // total
        sampler = seeded_sampler_of(self.loader)
        if not sampler.endless:
            self._epoch, num_iters = divmod(num_iters, len(self.loader))
            sampler.set_epoch(self._epoch)
        skip_batches(self.loader, num_iters)


@contextlib.contextmanager
def random_states_kept() -> Iterator[None]:
    """Undo what happens to Python's, NumPy's and torch's (CPU) generators."""
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])


def seed_all(seed: int) -> None:
    """Seed Python's, NumPy's and torch's (CPU) generators."""
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)


class GuardedFetch:
    """Loads the samples of a batch; a dataset gets it as `__getitems__`.

    Args:
        dataset: Any map-style dataset.
        max_bad: How many different samples may fail. Another one is taken in
            the place of each.
    """

    def __init__(self, dataset: Dataset, max_bad: int) -> None:
        self.dataset = dataset
        self.max_bad = max_bad
        # Shared with the worker processes.
        self.bad = multiprocessing.RawArray('b', len(dataset))

    def __call__(self, indices: list[int]) -> list:
        if not any(isinstance(index, SeededIndex) for index in indices):
            return [self._load(index) for index in indices]
        with random_states_kept():
            return [self._fetch(index) for index in indices]

    def _fetch(self, index: int) -> object:
        if isinstance(index, SeededIndex):
            seed_all(index.seed)
        return self._load(int(index))

    def _load(self, index: int) -> object:
        for candidate in range(index, index + len(self.dataset)):
            candidate %= len(self.dataset)
            try:
                return self.dataset[candidate]
            except Exception as error:
                self.bad[candidate] = 1
                message = (
                    f'sample {candidate} ({self._files(candidate)}) '
                    f'cannot be loaded: {type(error).__name__}: '
                    f'{error}'
                )
                if sum(self.bad) > self.max_bad:
                    if self.max_bad:
                        message += (
                            f'; it is number {sum(self.bad)}, and '
                            f'max_bad_samples is {self.max_bad}'
                        )
                    else:
                        message += (
                            '. Mend or remove it, or let some be '
                            'skipped in training with '
                            'train_dataloader.max_bad_samples=N'
                        )
                    raise SampleError(message) from error
                print_log(
                    f'{message}. Skipped', 'current', level=logging.WARNING
                )
        raise SampleError('no sample of the dataset can be loaded')

    def _files(self, index: int) -> str:
        try:
            info = self.dataset.get_data_info(index)
        except Exception:
            return 'its files are not known'
        paths = [
            str(info[key])
            for key in ('img_path', 'seg_map_path')
            if info.get(key)
        ]
        return ', '.join(paths) or 'its files are not known'


def guard_dataset(dataset: Dataset, max_bad: int) -> None:
    """Name the samples of a data set that cannot be loaded, and seed them.

    Args:
        dataset: Any map-style dataset, before a dataloader iterates over it.
        max_bad: See `GuardedFetch`.
    """
    if hasattr(dataset, '__getitem__') and hasattr(dataset, '__len__'):
        dataset.__getitems__ = GuardedFetch(dataset, max_bad)


def count_bad_samples(loader: DataLoader) -> int:
    """Count the samples of a guarded dataloader that were skipped."""
    fetch = getattr(loader.dataset, '__getitems__', None)
    return sum(fetch.bad) if isinstance(fetch, GuardedFetch) else 0


def allowed_bad_samples(loader: DataLoader) -> int:
    """How many samples of a dataloader may fail."""
    fetch = getattr(loader.dataset, '__getitems__', None)
    return fetch.max_bad if isinstance(fetch, GuardedFetch) else 0
