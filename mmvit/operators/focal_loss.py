"""Focal losses of `RetinaNet <https://arxiv.org/abs/1708.02002>`_."""

import torch
import torch.nn.functional as F
from torch import Tensor


def _of_targets(weight: Tensor, target: Tensor) -> Tensor | float:
    """Weight of each row's class; 1 for background and ignored rows."""
    if not weight.numel():
        return 1.0
    is_class = (target >= 0) & (target < len(weight))
    chosen = weight[target.clamp(0, len(weight) - 1)]
    return chosen.where(is_class, chosen.new_ones(())).unsqueeze(1)


def _is_target(x: Tensor, target: Tensor) -> Tensor:
    classes = torch.arange(x.shape[1], device=x.device)
    return target.unsqueeze(1) == classes


def sigmoid_focal_loss_forward(
    *tensors: Tensor, gamma: float, alpha: float
) -> None:
    """Binary focal loss of each class (Eq. 5).

    A target that is no class is background: then no class is right. `weight`
    has a factor for the rows of each class, or is empty.

    Shape: x and output (N, C), target (N,), weight (C,) or (0,).
    """
    x, target, weight, output = tensors
    right = _is_target(x, target)
    # log p and log(1 - p), without overflow
    z = x.float() if x.dtype.itemsize < 4 else x
    log_p, log_q = F.logsigmoid(z), F.logsigmoid(-z)
    loss = torch.where(
        right,
        -alpha * (gamma * log_q).exp() * log_p,
        -(1 - alpha) * (gamma * log_p).exp() * log_q,
    )
    output.copy_(loss * _of_targets(weight, target))


def sigmoid_focal_loss_backward(
    *tensors: Tensor, gamma: float, alpha: float
) -> None:
    """Gradient of `sigmoid_focal_loss_forward` for its logits.

    Shape: x and grad_input (N, C), target (N,), weight (C,) or (0,).
    """
    x, target, weight, grad_input = tensors
    right = _is_target(x, target)
    z = x.float() if x.dtype.itemsize < 4 else x
    log_p, log_q = F.logsigmoid(z), F.logsigmoid(-z)
    p, q = log_p.exp(), log_q.exp()
    grad = torch.where(
        right,
        -alpha * (gamma * log_q).exp() * (q - gamma * p * log_p),
        (1 - alpha) * (gamma * log_p).exp() * (p - gamma * q * log_q),
    )
    grad_input.copy_(grad * _of_targets(weight, target))
