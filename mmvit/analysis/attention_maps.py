"""The attention weights of a forward pass.

Fused attention does not return them, so they are computed beside it.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_FUSED = F.scaled_dot_product_attention
_MULTI_HEAD = F.multi_head_attention_forward


def attention_weights(
    q: Tensor,
    k: Tensor,
    attn_mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Compute attention weights, softmax(q k^T * scale + mask).

    Args:
        q: Queries (B, h, N, d).
        k: Keys (B, h, Nk, d).
        attn_mask: Added to the logits; or, of booleans, True where a query
            may attend to a key.
        is_causal: Whether queries attend to no later key.
        scale: Factor of the logits; None is d^-0.5.

    Shape: -> (B, h, N, Nk).
    """
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    logits = q.float() @ k.float().transpose(-2, -1) * scale
    if is_causal:
        attn_mask = torch.ones_like(logits, dtype=torch.bool).tril()
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
        self, func: Callable, _: Any, args: tuple = (), kwargs: Any = None
    ) -> Any:
        ours = {_FUSED: self._fused, _MULTI_HEAD: self._multi_head}
        return ours.get(func, func)(*args, **(kwargs or {}))

    def enter(self, name: str, *_: Any) -> None:
        self.running.append(name)

    def leave(self, *_: Any) -> None:
        self.running.pop()

    def _fused(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        **options: Any,
    ) -> Tensor:
        masking = attn_mask, is_causal, options.get('scale')
        with torch.no_grad():
            weights = attention_weights(query, key, *masking)
        self._keep(weights)
        if self.values_only:
            return weights.to(value.dtype) @ value
        options.update(dropout_p=dropout_p, is_causal=is_causal)
        return _FUSED(query, key, value, attn_mask, **options)

    # torch passes both arguments by name when it hands the call to a mode.
    def _multi_head(
        self,
        *args: Any,
        need_weights: bool,
        average_attn_weights: bool,
        **kwargs: Any,
    ) -> tuple:
        kwargs.update(need_weights=True, average_attn_weights=False)
        out, weights = _MULTI_HEAD(*args, **kwargs)
        self._keep(weights if weights.dim() == 4 else weights[None])
        if average_attn_weights:
            weights = weights.mean(-3)
        return out, weights if need_weights else None

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
    with ExitStack() as hooks:
        for name, module in model.named_modules():
            enter = partial(recorder.enter, name)
            hooks.enter_context(module.register_forward_pre_hook(enter))
            hooks.enter_context(
                module.register_forward_hook(recorder.leave, always_call=True)
            )
        hooks.enter_context(recorder)
        yield recorder.found
