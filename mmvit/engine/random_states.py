"""Random generators of a process: their states, read and set."""

import random

import numpy as np
import torch
from mmengine.dist import all_gather_object


def get_states() -> dict:
    """Read the states of Python's, NumPy's and torch's generators.

    What it returns is made of numbers and tensors, so that a file of it is
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
    """Set what `get_states` read."""
    random.setstate(states['python'])
    name, keys, *rest = states['numpy']
    np.random.set_state((name, keys.cpu().numpy().astype(np.uint32), *rest))
    torch.set_rng_state(states['torch'].cpu())
    if states['cuda'] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(states['cuda'].cpu())


def gather_states() -> list[dict]:
    """Read the states of all processes, in order; all have to call it."""
    return all_gather_object(get_states())
