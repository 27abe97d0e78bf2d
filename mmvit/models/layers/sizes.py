"""Helpers for maps of any size: divisions, cached tensors and padding."""

import functools
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


def is_exporting() -> bool:
    """Whether a graph is exported, which other programs run."""
    is_graph = torch.compiler.is_compiling()
    return is_graph and not torch.compiler.is_dynamo_compiling()


def is_symbolic(*sizes: int) -> bool:
    """Whether a graph is exported in which one of these sizes is open."""
    return any(isinstance(size, torch.SymInt) for size in sizes)


def must_fit_all(*sizes: int) -> bool:
    """Whether a graph is made that is to serve maps of all sizes.

    A compiled graph always is, an exported one where its sizes are open.
    Such a graph has no branch that depends on a size.
    """
    return torch.compiler.is_dynamo_compiling() or is_symbolic(*sizes)


def must_pad(*amounts: int) -> bool:
    """Whether something is padded.

    A graph that serves maps of all sizes always pads, be it by nothing.
    """
    return must_fit_all(*amounts) or any(amounts)


def in_order(x: Tensor) -> Tensor:
    """A permuted tensor, with its memory in the order of its axes.

    Unlike `contiguous`, it always copies: whether axes can be merged without
    a copy would depend on the map's size, and with it a compiled graph.
    """
    return x.clone(memory_format=torch.contiguous_format)


def contiguous(x: Tensor) -> Tensor:
    """`x.contiguous()`; always a copy in an exported graph with open sizes."""
    return in_order(x) if is_symbolic(*x.shape) else x.contiguous()


def mergeable(x: Tensor) -> Tensor:
    """A permuted tensor, of which axes are merged next.

    In an exported graph with open sizes it is copied: whether the axes can be
    merged without a copy would depend on them.
    """
    return in_order(x) if is_symbolic(*x.shape) else x


def multiply(x: Tensor, y: Tensor) -> Tensor:
    """The matrix product x @ y.

    In an exported graph with open sizes it is one of two stacks of matrices:
    `@` would compare the sizes to find how it computes the product.

    Shape: x (..., N, K) or (N, K), y (..., K, M) -> (..., N, M).
    """
    if not is_symbolic(*x.shape, *y.shape):
        return x @ y
    stack, y = y.shape[:-2], mergeable(y).flatten(0, -3)
    if x.dim() == 2:
        x = x.expand(y.shape[0], -1, -1)
    else:
        x = mergeable(x).flatten(0, -3)
    return torch.bmm(x, y).unflatten(0, stack)


def take(x: Tensor, dim: int, length: int, start: int = 0) -> Tensor:
    """Take some neighbouring entries of an axis.

    In an exported graph with open sizes they are copied: later operations
    would ask whether the entries are contiguous, which depends on the size.
    """
    if is_symbolic(length):
        index = torch.arange(start, start + length, device=x.device)
        return x.index_select(dim, index)
    return x[(slice(None),) * dim + (slice(start, start + length),)]


def _converted(
    made: Tensor | tuple[Tensor, ...], device: torch.device, dtype: torch.dtype
) -> list[Tensor]:
    """Move tensors to a device, those of floating point to a type, too."""
    return [
        part.contiguous().to(
            device, dtype if part.is_floating_point() else None
        )
        for part in ([made] if isinstance(made, Tensor) else made)
    ]


def cached_by_size(shapes: Callable) -> Callable:
    """Decorate a function of integers that makes tensors: cache its results.

    In a compiled graph the function is one operator, whose results depend on
    the map's size; an exported one has the function's own operations.

    Args:
        shapes: Returns, for the same integers, the type of each result (float
            or int) followed by its lengths; None stands for a length that
            only the function itself finds out.

    The function gets a further argument `like`: a tensor of the device and
    floating-point type of the results.
    """

    def decorate(function: Callable) -> Callable:
        @functools.lru_cache(maxsize=64)
        def cached(
            device: torch.device, dtype: torch.dtype, *sizes: int
        ) -> list[Tensor]:
            with torch.inference_mode(False), torch.device('cpu'):
                return _converted(function(*sizes), device, dtype)

        operator = _operator(function, cached, shapes)

        @functools.wraps(function)
        def call(*sizes: int, like: Tensor) -> Tensor | list[Tensor]:
            if torch.compiler.is_dynamo_compiling():
                parts = operator(sizes, like.device, like.dtype)
            elif is_exporting():
                with like.device:
                    made = function(*sizes)
                parts = _converted(made, like.device, like.dtype)
            else:
                parts = cached(like.device, like.dtype, *sizes)
            return parts[0] if len(parts) == 1 else parts

        return call

    return decorate


def _operator(function: Callable, cached: Callable, shapes: Callable) -> Any:
    """Register a cached function as an operator of torch."""

    def run(
        sizes: list[int], device: torch.device, dtype: torch.dtype
    ) -> list[Tensor]:
        # A graph may write into what an operator returns.
        return [in_order(part) for part in cached(device, dtype, *sizes)]

    operator = torch.library.custom_op(
        f'mmvit::{function.__name__.strip("_")}',
        run,
        mutates_args=(),
        schema='(SymInt[] sizes, Device device, ScalarType dtype) -> Tensor[]',
    )

    @operator.register_fake
    def _(
        sizes: list[int], device: torch.device, dtype: torch.dtype
    ) -> list[Tensor]:
        context = torch.library.get_ctx()
        return [
            torch.empty(
                [
                    context.new_dynamic_size() if length is None else length
                    for length in shape
                ],
                device=device,
                dtype=dtype if kind is float else torch.long,
            )
            for kind, *shape in shapes(*sizes)
        ]

    return operator


def padding_bias(real: Tensor) -> Tensor:
    """Logits that exclude the keys that are not real but padding."""
    return (1 - real.double()) * MASKED
