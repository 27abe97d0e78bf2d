"""Samples that cannot be loaded: named, and skipped if that is allowed."""

import multiprocessing

from mmcv.transforms import BaseTransform
from torch.utils.data import DataLoader, Dataset

from mmvit.utils.log import warn

from ..random_states import kept_states, seed_all
from ..samplers import SeededIndex
from .failed_part import frames_of


class SampleError(RuntimeError):
    """A sample cannot be loaded; the message names its files."""


def files_of(info: dict) -> list[str]:
    """List the files of a sample."""
    keys = ('img_path', 'seg_map_path')
    return [str(info[key]) for key in keys if info.get(key)]


class GuardedFetch:
    """Loads the samples of a batch; a dataset gets it as `__getitems__`.

    Args:
        dataset: Any map-style dataset.
        max_bad: How many different samples may fail. Each is replaced by the
            next one that loads.
    """

    def __init__(self, dataset: Dataset, max_bad: int) -> None:
        self.dataset = dataset
        self.max_bad = max_bad
        # Shared with the worker processes.
        self.bad = multiprocessing.RawArray('b', len(dataset))

    def __call__(self, indices: list[int]) -> list:
        if not isinstance(indices[0], SeededIndex):
            return [self._load(index) for index in indices]
        with kept_states():
            return [self._load_seeded(index) for index in indices]

    def _load_seeded(self, index: SeededIndex) -> object:
        seed_all(index.seed)
        return self._load(int(index))

    def _load(self, index: int) -> object:
        for candidate in range(index, index + len(self.dataset)):
            candidate %= len(self.dataset)
            try:
                return self.dataset[candidate]
            except Exception as error:
                self._note(candidate, error)
        raise SampleError('no sample of the dataset can be loaded')

    def _note(self, index: int, error: Exception) -> None:
        self.bad[index] = 1
        count = sum(self.bad)
        try:
            info = self.dataset.get_data_info(index)
        except Exception:
            info = {}
        files = ', '.join(files_of(info)) or 'its files are not known'
        message = (
            f'sample {index} ({files}) cannot be loaded: '
            f'{type(error).__name__}: {error}{_step_of(error)}'
        )
        if count <= self.max_bad:
            warn(f'{message}. Skipped')
            return
        cure = (
            f'; it is number {count}, and max_bad_samples is {self.max_bad}'
            if self.max_bad
            else '. Mend or remove it, or let some be skipped in training '
            'with train_dataloader.max_bad_samples=N'
        )
        raise SampleError(message + cure) from error


def _step_of(error: Exception) -> str:
    """Say in which transform of a pipeline an error was raised."""
    steps = [frame.f_locals.get('self') for frame in frames_of(error)]
    steps = [one for one in steps if isinstance(one, BaseTransform)]
    return f' (in {type(steps[-1]).__name__})' if steps else ''


def guard_dataset(dataset: Dataset, max_bad: int) -> None:
    """Let a data set seed its samples and name those that cannot be loaded.

    It must be before a dataloader iterates over the data set.
    """
    if hasattr(dataset, '__getitem__') and hasattr(dataset, '__len__'):
        dataset.__getitems__ = GuardedFetch(dataset, max_bad)


def bad_samples(loader: DataLoader) -> tuple[int, int]:
    """Return how many samples were skipped, and how many may be."""
    fetch = getattr(loader.dataset, '__getitems__', None)
    if not isinstance(fetch, GuardedFetch):
        return 0, 0
    return sum(fetch.bad), fetch.max_bad


def refuse_skipping(name: str, dataloader: DataLoader | dict | None) -> None:
    """Refuse `max_bad_samples` for data of which a metric is computed."""
    if isinstance(dataloader, dict) and dataloader.get('max_bad_samples'):
        raise ValueError(
            f'{name}.max_bad_samples: a metric that leaves samples out would '
            'not say so; only train_dataloader may skip some'
        )
