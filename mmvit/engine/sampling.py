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
from torch.utils.data import DataLoader, Dataset, Sampler


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


class SeededSampler(Sampler):
    """Gives the indices of another sampler a seed each.

    The seed follows from the run's seed, the epoch and the position in the
    epoch's order over all processes: it differs in each epoch, and does not
    depend on how many processes share the work.

    Args:
        sampler: Any sampler. One without epochs is taken to be endless.
        seed: The run's seed.
    """

    def __init__(self, sampler: Sampler, seed: int) -> None:
        self.sampler = sampler
        self.seed = seed

    def __iter__(self) -> Iterator[SeededIndex]:
        epoch = getattr(self.sampler, 'epoch', 0)
        world_size = getattr(self.sampler, 'world_size', get_world_size())
        rank = getattr(self.sampler, 'rank', 0)
        positions = itertools.count(rank, world_size)
        for position, index in zip(positions, self.sampler):
            sequence = np.random.SeedSequence([self.seed, epoch, position])
            yield SeededIndex(index, int(sequence.generate_state(1)[0]))

    def __len__(self) -> int:
        return len(self.sampler)

    def __getattr__(self, name: str) -> object:
        # Batch samplers ask for the dataset, loops for `set_epoch`.
        return getattr(self.__dict__['sampler'], name)


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed Python's, NumPy's and torch's (CPU) generators for a while."""
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        random.seed(seed)
        np.random.seed(seed)
        torch.default_generator.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])


class GuardedFetch:
    """Loads the samples of a batch; a dataset gets it as `__getitems__`.

    Args:
        dataset: Any map-style dataset.
        max_bad: How many different samples may fail. Another one is taken in
            the place of each; in a test set none may.
    """

    def __init__(self, dataset: Dataset, max_bad: int) -> None:
        self.dataset = dataset
        self.max_bad = 0 if getattr(dataset, 'test_mode', False) else max_bad
        # Shared with the worker processes.
        self.bad = multiprocessing.RawArray('b', len(dataset))

    def __call__(self, indices: list[int]) -> list:
        return [self._fetch(index) for index in indices]

    def _fetch(self, index: int) -> object:
        if isinstance(index, SeededIndex):
            with seeded(index.seed):
                return self._load(int(index))
        return self._load(index)

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


def guard_dataloader(loader: DataLoader, seed: int, max_bad: int) -> None:
    """Seed a dataloader's samples, and name those that cannot be loaded.

    Args:
        loader: The dataloader; it must not have been iterated yet.
        seed: The run's seed.
        max_bad: See `GuardedFetch`.
    """
    batch_sampler = loader.batch_sampler
    if not hasattr(loader.dataset, '__getitem__') or not hasattr(
        batch_sampler, 'sampler'
    ):
        return
    batch_sampler.sampler = SeededSampler(batch_sampler.sampler, seed)
    loader.dataset.__getitems__ = GuardedFetch(loader.dataset, max_bad)


def count_bad_samples(loader: DataLoader) -> int:
    """Count the samples of a guarded dataloader that were skipped."""
    fetch = getattr(loader.dataset, '__getitems__', None)
    return sum(fetch.bad) if isinstance(fetch, GuardedFetch) else 0
