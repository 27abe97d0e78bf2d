import torch.nn.functional as F
from torch import Tensor
from torch.overrides import has_torch_function_unary


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """Give each head its channels.

    Shape: x (B, ..., h * d), any number of token axes -> (B, h, N, d).
    """
    x = x.flatten(1, -2)
    # (B, N, h, d) -> (B, h, N, d)
    return x.unflatten(-1, (num_heads, -1)).transpose(1, 2)


def merge_heads(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Undo `split_heads` for a map of `size` (H, W).

    Shape: x (B, h, N, d) -> (B, H, W, h * d).
    """
    # (B, N, h, d) -> (B, N, h * d)
    x = x.transpose(1, 2).flatten(2)
    return x.unflatten(1, size)


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bias: Tensor | None = None,
    drop_rate: float = 0.0,
    scale: float | None = None,
) -> Tensor:
    """The one attention call of the project: softmax(q k^T * scale + bias) v.

    Args:
        q: Queries.
        k: Keys.
        v: Values; their width may differ from that of the keys.
        bias: What is added to the logits: position biases, and a large
            finite negative number where a key is padding (a row of -inf
            would give NaN).
        drop_rate: Share of attention weights dropped; pass 0 in evaluation.
        scale: Factor of the logits; None is d^-0.5.

    Shape: q (B, h, N, d), k (B, h, Nk, d), v (B, h, Nk, dv), bias
        broadcastable to (B, h, N, Nk) -> (B, h, N, dv).
    """
    if (
        bias is not None
        and bias.requires_grad
        and bias.device.type == 'cpu'
        # What watches calls of torch's attention shall see them.
        and not has_torch_function_unary(bias)
    ):
        # CPUs have no fused attention whose bias learns, and what torch does
        # instead goes over the weights more often than this.
        scale = q.shape[-1] ** -0.5 if scale is None else scale
        weights = (q * scale @ k.transpose(-2, -1)).add_(bias).softmax(-1)
        return F.dropout(weights, drop_rate) @ v
    return F.scaled_dot_product_attention(
        q, k, v, attn_mask=bias, dropout_p=drop_rate, scale=scale
    )
