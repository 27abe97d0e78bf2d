"""The attention weights of a forward pass.

Fused attention does not return them, so they are computed beside it.
"""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_FUSED = F.scaled_dot_product_attention
_MULTI_HEAD = F.multi_head_attention_forward
_MULTI_HEAD_SIGNATURE = inspect.signature(_MULTI_HEAD)


def attention_weights(
    q: Tensor,
    k: Tensor,
    attn_mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Compute attention weights, softmax(q k^T * scale + mask).

    Args:
        q: Queries.
        k: Keys.
        attn_mask: Added to the logits; or, of booleans, True where a query
            may attend to a key.
        is_causal: Whether queries attend to no later key.
        scale: Factor of the logits; None is d^-0.5.

    Shape: q (B, h, N, d), k (B, h, Nk, d) -> (B, h, N, Nk).
    """
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    logits = q.float() @ k.float().transpose(-2, -1) * scale
    if is_causal:
        attn_mask = torch.ones(
            logits.shape[-2:], dtype=torch.bool, device=q.device
        ).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        logits = logits.masked_fill(~attn_mask, -torch.inf)
    elif attn_mask is not None:
        logits = logits + attn_mask
    return logits.softmax(-1)


class _Recorder(TorchFunctionMode):
    """Computes the weights of each attention call that it intercepts."""

    def __init__(self, values_only: bool) -> None:
        super().__init__()
        self.values_only = values_only
        self.running: list[str] = []
        self.found: dict[str, Tensor] = {}

    def __torch_function__(
        self,
        func: Callable,
        types: Any,  # noqa: ARG002
        args: tuple = (),
        kwargs: Mapping | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is _FUSED:
            return self._fused(*args, **kwargs)
        if func is _MULTI_HEAD:
            return self._multi_head(*args, **kwargs)
        return func(*args, **kwargs)

    def _fused(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        **options: Any,
    ) -> Tensor:
        with torch.no_grad():
            weights = attention_weights(
                query, key, attn_mask, is_causal, scale
            )
        self._keep(weights)
        if self.values_only:
            return weights.to(value.dtype) @ value
        options.update(dropout_p=dropout_p, is_causal=is_causal, scale=scale)
        return _FUSED(query, key, value, attn_mask, **options)

    def _multi_head(self, *args: Any, **kwargs: Any) -> tuple:
        call = _MULTI_HEAD_SIGNATURE.bind(*args, **kwargs)
        call.apply_defaults()
        wanted = call.arguments['need_weights']
        averaged = call.arguments['average_attn_weights']
        call.arguments.update(need_weights=True, average_attn_weights=False)
        out, weights = _MULTI_HEAD(*call.args, **call.kwargs)
        self._keep(weights if weights.dim() == 4 else weights[None])
        if averaged:
            weights = weights.mean(-3)
        return out, weights if wanted else None

    def _keep(self, weights: Tensor) -> None:
        name = self.running[-1] if self.running else ''
        number, key = 1, name
        while key in self.found:
            number += 1
            key = f'{name}#{number}'
        self.found[key] = weights.detach().cpu()


@contextmanager
def record_attention(
    model: nn.Module, values_only: bool = False
) -> Iterator[dict[str, Tensor]]:
    """Record the weights of every attention of a forward pass.

    Recorded are torch's fused attention, which all backbones of MMViT and
    mmpretrain's vision transformers call, and nn.MultiheadAttention, which
    mmsegmentation's use. An attention of plain matrix products is not seen.

    Args:
        model: Any module.
        values_only: Whether fused attention treats the weights as constants
            in the backward pass. The gradient then flows through the values
            only and tells how much of each token reaches a query.

    Yields:
        A dictionary that fills while the model runs. It maps the name of the
        attention's module to the weights, on the CPU and without dropout. A
        second call in the same module adds `#2` to the name. Windows are
        where the backbone puts them, in the batch or beside the heads.

    Shape: weights (B, h, N, Nk).

    Example:
        >>> with record_attention(model.backbone) as weights, torch.no_grad():
        ...     model.backbone(image)
        >>> weights['stages.0.blocks.0.attn'].shape
    """
    recorder = _Recorder(values_only)

    def enter(*_: Any, name: str) -> None:
        recorder.running.append(name)

    def leave(*_: Any) -> None:
        recorder.running.pop()

    handles = []
    for name, module in model.named_modules():
        hook = functools.partial(enter, name=name)
        handles.append(module.register_forward_pre_hook(hook))
        handles.append(module.register_forward_hook(leave, always_call=True))
    try:
        with recorder:
            yield recorder.found
    finally:
        for handle in handles:
            handle.remove()
