"""What all attentions share: heads, dropout and the output projection."""

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from .sizes import in_order, is_exporting, is_symbolic, mergeable, multiply


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """Split the channels into heads: (B, ..., h * d) -> (B, h, N, d)."""
    x = mergeable(x).flatten(1, -2)
    return x.unflatten(-1, (num_heads, -1)).transpose(1, 2)


def merge_heads(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """Undo `split_heads`: (B, h, N, d) -> (B, *size, h * d)."""
    x = x.transpose(1, 2)
    if is_exporting():
        # What runs the graph may order the memory in another way than torch.
        x = in_order(x)
    return x.flatten(2).unflatten(1, size)


class Attention(BaseModule):
    """Base class of the attentions.

    A subclass builds the layers of its queries, keys and values, then calls
    `build_projection`.

    Args:
        embed_dims: Channels C of input and output.
        num_heads: Heads h.
        attn_drop_rate: Dropout of the attention weights.
        drop_rate: Dropout of the output.

    Shape: x (B, H, W, C) -> (B, H, W, C), unless a subclass says otherwise.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        attn_drop_rate: float = 0.0,
        drop_rate: float = 0.0,
    ) -> None:
        super().__init__()
        if embed_dims % num_heads:
            raise ValueError(
                f'num_heads {num_heads} must divide embed_dims {embed_dims}'
            )
        self.embed_dims = embed_dims
        self.num_heads = num_heads
        self.attn_drop_rate = attn_drop_rate
        self.drop_rate = drop_rate

    def build_projection(self) -> None:
        """Build the output projection.

        Optimizer states depend on the order of the parameters.
        """
        self.proj = nn.Linear(self.embed_dims, self.embed_dims)
        self.proj_drop = nn.Dropout(self.drop_rate)

    def project(self, x: Tensor) -> Tensor:
        """Project the attention's output."""
        return self.proj_drop(self.proj(x))

    def attend_by_head(
        self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None
    ) -> Tensor:
        """Compute softmax(q k^T / sqrt(d) + bias) v.

        The bias has position biases and masks of padding. The values may
        have another width than the keys.

        Shape: q (B, h, N, d), k (B, h, Nk, d), v (B, h, Nk, dv), bias
            broadcastable to (B, h, N, Nk) -> (B, h, N, dv).
        """
        if bias is not None and is_symbolic(bias.shape[-1]):
            # torch's operator would fix the number of keys in the graph.
            logits = multiply(q, k.transpose(-1, -2)) * q.shape[-1] ** -0.5
            return multiply((logits + bias).softmax(-1), v)
        drop_rate = self.attn_drop_rate if self.training else 0.0
        return F.scaled_dot_product_attention(
            q, k, v, attn_mask=bias, dropout_p=drop_rate
        )

    def attend_by_window(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        bias: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Attention within windows that share a position bias.

        The windows are heads. The mask excludes padded keys.

        Shape: q (B, nW * h, N, d), k and v (B, nW * h, Nk, d), bias
            (h, N, Nk), mask (nW, 1, 1, Nk) -> (B, nW * h, N, d).
        """
        if bias is not None:
            bias = bias.to(q.dtype)
        if mask is not None:
            # One bias for the windows of all images.
            bias = mask if bias is None else bias + mask
            bias = bias.expand(-1, self.num_heads, -1, -1).flatten(0, 1)
            return self.attend_by_head(q, k, v, bias[None])
        # (B, nW * h, N, d) -> (B * nW, h, N, d): windows share the bias.
        heads = (
            part.flatten(0, 1).unflatten(0, (-1, self.num_heads))
            for part in (q, k, v)
        )
        out = self.attend_by_head(*heads, bias)
        return out.flatten(0, 1).unflatten(0, (q.shape[0], -1))

    def attend(
        self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None
    ) -> Tensor:
        """Split the heads, attend, and merge the heads.

        The bias is that of `attend_by_head`.

        Shape: q, k, v (B, ..., channels), with any number of token axes ->
            the token axes of q, the channels of v.
        """
        heads = (split_heads(part, self.num_heads) for part in (q, k, v))
        out = self.attend_by_head(*heads, bias)
        return merge_heads(out, q.shape[1:-1])
