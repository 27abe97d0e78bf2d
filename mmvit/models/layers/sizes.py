"""Helpers for maps of any size: divisions, cached results and padding."""

import functools
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

# Added to the logit of a padded key. Finite, because a softmax over nothing
# but -inf would give NaN.
MASKED = -1e4


def ceil_div(length: int, divisor: int) -> int:
    """Divide and round up."""
    return -(-length // divisor)


def cached_by_size(function: Callable) -> Callable:
    """Cache the results of a function of integers, such as a map's lengths.

    torch.compile traces the result as a constant, because the shapes of the
    tensors in it depend on data.
    """
    cached = functools.lru_cache(maxsize=256)(function)

    @torch.compiler.assume_constant_result
    def look_up(*sizes: int) -> Any:
        return cached(*sizes)

    @functools.wraps(function, updated=())
    def call(*sizes: int) -> Any:
        # Specialise the symbolic lengths of torch.compile to integers.
        return look_up(*map(operator.index, sizes))

    return call


def padding_bias(real: Tensor, batch_size: int) -> Tensor:
    """Logits that exclude padded keys from attention.

    Args:
        real: 1 for each key on the map, 0 for each padded key.
        batch_size: Images B; the mask is the same for each.

    Shape: real (groups, Nk) -> (B * groups, 1, 1, Nk).
    """
    bias = (1 - real[:, None, None]) * MASKED
    return bias.repeat(batch_size, 1, 1, 1)
