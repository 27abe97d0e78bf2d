"""Batches that cannot be made, found before the first iteration."""

import contextlib
from collections.abc import Iterator

import torch
from mmengine.model import BaseModel
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import DataLoader

from ..random_states import kept_states
from ..run_facts import batch_size_of
from .sample_files import read_header

_ONE_VALUE = 'Expected more than 1 value per channel'


def check_stacking(
    loader: DataLoader, infos: dict[int, dict], model: BaseModel, key: str
) -> None:
    """Check that images of different sizes make a batch.

    Two samples whose files differ in size are loaded, if there are such.
    `infos` is what the data set knows of some samples, by their indices.

    Raises:
        ValueError: If they do not.
    """
    if batch_size_of(loader) < 2 or not hasattr(model, 'data_preprocessor'):
        return
    by_size = {}
    for index, info in infos.items():
        header = read_header(str(info.get('img_path')))
        if header:
            by_size.setdefault(header.seen(True), index)
    if len(by_size) < 2:
        return
    # The most different shapes
    sizes = sorted(by_size, key=lambda size: size[0] / size[1])
    pair = [by_size[sizes[0]], by_size[sizes[-1]]]
    try:
        with kept_states():
            samples = [loader.dataset[index] for index in pair]
            batch = loader.collate_fn(samples)
    except Exception:
        return  # Another guard names samples that cannot be loaded.
    try:
        model.data_preprocessor(batch, False)
    except Exception as error:
        files = ' and '.join(str(infos[one]['img_path']) for one in pair)
        raise ValueError(
            f'{key}.batch_size is {batch_size_of(loader)}, and images of '
            f'different sizes do not make a batch ({files}: '
            f'{str(error).strip() or type(error).__name__}). Set '
            f'{key}.batch_size=1, or resize or pad the images to one size in '
            'its pipeline'
        ) from error


@contextlib.contextmanager
def _kept_buffers(model: nn.Module) -> Iterator[None]:
    before = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        for buffer, value in before:
            buffer.copy_(value)


def leaves_one(loader: DataLoader) -> bool:
    """Whether the last batch of an epoch, or every batch, has one sample."""
    size = batch_size_of(loader)
    if size == 1:
        return True
    sampler = getattr(loader.batch_sampler, 'sampler', None)
    inner = getattr(sampler, 'inner', sampler)
    endless = 'Infinite' in type(inner).__name__ or not hasattr(
        inner, '__len__'
    )
    drops = getattr(loader, 'drop_last', False)
    return not (endless or drops) and len(inner) % size == 1


def check_last_batch(loader: DataLoader, model: nn.Module) -> None:
    """Check that a last batch of one sample can be trained on.

    Only where there is such a batch and batch normalization: then the model
    gets one sample, without gradients. Buffers and random states stay.

    Raises:
        ValueError: If batch normalization gets a single value a channel.
    """
    has_norm = any(
        isinstance(module, _BatchNorm) and module.training
        for module in model.modules()
    )
    if not has_norm or not leaves_one(loader):
        return
    states = contextlib.ExitStack()
    states.enter_context(kept_states())
    states.enter_context(torch.random.fork_rng())  # GPUs' too
    with states, _kept_buffers(model), torch.no_grad():
        try:
            batch = loader.collate_fn([loader.dataset[0]])
            data = model.data_preprocessor(batch, True)
            model._run_forward(data, mode='loss')
        except ValueError as error:
            if _ONE_VALUE not in str(error):
                return
            size = batch_size_of(loader)
            text = (
                f'{len(loader.dataset)} samples in batches of {size} leave a '
                'last batch of one, and batch normalization cannot train on '
                'it: set train_dataloader.drop_last=True, or another '
                'batch_size'
            )
            if size == 1:
                text = (
                    'train_dataloader.batch_size is 1, and batch '
                    'normalization cannot train on one sample: set 2 or more'
                )
            raise ValueError(text) from error
        except Exception:
            return  # Its own message comes with the first iteration.
