"""The random generators of a process: read, set, kept, seeded."""

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import torch


def get_states() -> dict:
    """Read the states of Python's, NumPy's and torch's generators.

    The result holds numbers and tensors only, so that a file with it is
    loaded without executing anything.
    """
    name, keys, *rest = np.random.get_state()
    return dict(
        python=random.getstate(),
        numpy=(name, torch.from_numpy(keys.astype(np.int64)), *rest),
        torch=torch.get_rng_state(),
        cuda=torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
    )


def set_states(states: dict) -> None:
    """Set the states that `get_states` has read."""
    random.setstate(states['python'])
    name, keys, *rest = states['numpy']
    np.random.set_state((name, keys.cpu().numpy().astype(np.uint32), *rest))
    torch.set_rng_state(states['torch'].cpu())
    if states['cuda'] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(states['cuda'].cpu())


@contextlib.contextmanager
def kept_states() -> Iterator[None]:
    """Restore the CPU's generators at the end of a context.

    It runs for each batch that is loaded: unlike `get_states`, it neither
    copies NumPy's state into a tensor nor asks a GPU.
    """
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])


def seed_all(seed: int) -> None:
    """Seed Python's, NumPy's and torch's generators of the CPU."""
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
