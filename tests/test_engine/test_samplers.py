"""Each sample's augmentation: seeded by run, epoch and position."""

import pickle
import random

import mmengine.dataset.sampler
import numpy as np
import pytest
import torch
from torch.utils.data import BatchSampler, Dataset

from mmvit.engine import GuardedRunner
from mmvit.engine.samplers import SeededIndex
from tests.support.toy import toy_runner

LENGTH = 6


class Draws(Dataset):
    """A sample is its index and a number of each generator."""

    def __len__(self):
        return LENGTH

    def __getitem__(self, index):
        return (
            index,
            torch.rand(()).item(),
            np.random.rand(),
            random.random(),
        )


def build(seed=0, sampler='DefaultSampler', num_workers=0, **kwargs):
    return GuardedRunner.build_dataloader(
        dict(
            batch_size=2,
            num_workers=num_workers,
            dataset=Draws(),
            sampler=dict(type=sampler, shuffle=True),
            collate_fn=dict(type=list),
            **kwargs,
        ),
        seed=seed,
    )


def epochs(loader, number=2):
    """The samples of some epochs, a list for each."""
    drawn = []
    for epoch in range(number):
        loader.sampler.set_epoch(epoch)
        drawn.append([sample for batch in loader for sample in batch])
    return drawn


def by_index(samples):
    return {index: draws for index, *draws in samples}


@pytest.mark.parametrize('num_workers', [0, 2])
def test_epochs_differ(num_workers):
    first, second = map(by_index, epochs(build(num_workers=num_workers)))
    assert set(first) == set(second) == set(range(LENGTH))
    for index in first:
        # Each of the three generators
        for a, b in zip(first[index], second[index]):
            assert a != b
    everything = [draw for draws in first.values() for draw in draws]
    assert len(set(everything)) == 3 * LENGTH


def test_runs_of_a_seed_agree():
    assert epochs(build(seed=3)) == epochs(build(seed=3))
    first, other = epochs(build(seed=3), 1)[0], epochs(build(seed=4), 1)[0]
    assert not set(first) & set(other)


@pytest.mark.parametrize('persistent_workers', [False, True])
@pytest.mark.parametrize('num_workers', [0, 1, 2])
def test_workers_change_nothing(num_workers, persistent_workers):
    loader = build(
        num_workers=num_workers, persistent_workers=persistent_workers
    )
    assert epochs(loader) == epochs(build())


@pytest.mark.parametrize('sampler', ['DefaultSampler', 'InfiniteSampler'])
@pytest.mark.parametrize('world_size', [2, 3])
def test_world_size_changes_nothing(monkeypatch, sampler, world_size):
    def draw(rank, size, batches):
        monkeypatch.setattr(
            mmengine.dataset.sampler, 'get_dist_info', lambda: (rank, size)
        )
        loader = iter(build(sampler=sampler))
        return [sample for _ in range(batches) for sample in next(loader)]

    alone = draw(0, 1, LENGTH // 2)
    shared = [
        draw(rank, world_size, LENGTH // 2 // world_size)
        for rank in range(world_size)
    ]
    together = [sample for row in zip(*shared) for sample in row]
    assert together == alone[: len(together)]


def generator_states():
    return (
        torch.get_rng_state().tolist(),
        random.getstate(),
        np.random.get_state()[1].tolist(),
        np.random.get_state()[2],
    )


def test_generators_of_the_process_are_left_alone():
    batches = iter(build(seed=77))  # torch draws a number here
    before = generator_states()
    assert len(list(batches)) == LENGTH // 2
    assert generator_states() == before


def test_an_error_gives_the_generators_back():
    class Fails(Draws):
        def __getitem__(self, index):
            raise OSError('no')

    loader = build()
    loader.dataset.__class__ = Fails
    batches = iter(loader)
    before = generator_states()
    with pytest.raises(RuntimeError, match='OSError: no'):
        next(batches)
    assert generator_states() == before


def test_batch_samplers_are_served():
    class Reversed(BatchSampler):
        def __init__(self, sampler, batch_size):
            super().__init__(sampler, batch_size, drop_last=False)

        def __iter__(self):
            assert len(self.sampler.dataset) == LENGTH
            for batch in super().__iter__():
                yield batch[::-1]

    loader = GuardedRunner.build_dataloader(
        dict(
            batch_size=2,
            dataset=Draws(),
            sampler=dict(type='DefaultSampler', shuffle=True),
            batch_sampler=dict(type=Reversed),
            collate_fn=dict(type=list),
        ),
        seed=0,
    )
    batches = [batch[::-1] for batch in loader]
    assert [sample for batch in batches for sample in batch] == (
        epochs(build(), 1)[0]
    )


def test_index_survives_the_way_to_a_worker():
    index = pickle.loads(pickle.dumps(SeededIndex(4, seed=11)))
    assert (index, index.seed) == (4, 11)
    assert isinstance(index, int)


class NoisyRecorder(Dataset):
    """Notes what it drew for which sample."""

    metainfo: dict = {}

    def __init__(self):
        self.drawn = []

    def __deepcopy__(self, memo):
        return self  # mmengine copies dataloaders' dicts

    def __len__(self):
        return LENGTH

    def __getitem__(self, index):
        value = torch.rand(2)
        self.drawn.append((index, value.tolist()))
        return value


@pytest.mark.parametrize('sampler', ['InfiniteSampler', 'DefaultSampler'])
def test_resume_goes_on_with_the_draws(tmp_path, fresh_runs, sampler):
    by_epoch = sampler == 'DefaultSampler'

    def train(folder, iters, **kwargs):
        fresh_runs()
        dataset = NoisyRecorder()
        length = dict(max_epochs=iters // 3) if by_epoch else {}
        runner = toy_runner(
            tmp_path / folder,
            checkpoint=dict(by_epoch=by_epoch, interval=1 if by_epoch else 3),
            train_dataloader=dict(
                batch_size=2,
                num_workers=0,
                dataset=dataset,
                sampler=dict(type=sampler, shuffle=True),
            ),
            train_cfg=dict(by_epoch=by_epoch, **length)
            if by_epoch
            else dict(by_epoch=False, max_iters=iters),
            **kwargs,
        )
        runner.train()
        weight = runner.model.linear.weight.detach().clone()
        return dataset.drawn, weight

    at_once, weight = train('whole', 6)
    first, _ = train('parts', 3)
    second, resumed_weight = train('parts', 6, resume=True)
    assert first + second == at_once
    torch.testing.assert_close(resumed_weight, weight, rtol=0, atol=0)
