"""Helpers for maps of any size: divisions, cached tensors and padding."""

import functools
from collections.abc import Callable

import torch
from torch import Tensor

# Added to the logit of a padded key. Finite, because a softmax over nothing
# but -inf would give NaN.
MASKED = -1e4


def ceil_div(length: int, divisor: int) -> int:
    """Divide and round up."""
    return -(-length // divisor)


def cached_by_size(function: Callable) -> Callable:
    """Cache the tensors that a function of integers makes.

    Args:
        function: Makes a tensor, or a named tuple of tensors, from integers
            such as a map's lengths. Floating-point tensors are float64.

    Returns:
        The function, with a further argument `like`: a tensor of the wanted
        device and floating-point type.
    """

    @functools.lru_cache(maxsize=64)
    def cached(
        device: torch.device, dtype: torch.dtype, *sizes: int
    ) -> Tensor | tuple:
        def place(part: Tensor) -> Tensor:
            is_float = part.is_floating_point()
            return part.to(device, dtype if is_float else part.dtype)

        with torch.device('cpu'), torch.inference_mode(False):
            made = function(*sizes)
            if isinstance(made, Tensor):
                return place(made)
            return type(made)(*map(place, made))

    @functools.wraps(function)
    def call(*sizes: int, like: Tensor) -> Tensor | tuple:
        return cached(like.device, like.dtype, *sizes)

    return call


def padding_bias(real: Tensor) -> Tensor:
    """Logits that exclude padded keys from attention.

    Shape: real (...), whether each key is on the map -> the same.
    """
    return (1 - real.double()) * MASKED
