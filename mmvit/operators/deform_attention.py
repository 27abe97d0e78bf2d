"""Attention of `Deformable DETR <https://arxiv.org/abs/2010.04159>`_.

On GPUs mmcv calls compiled functions, on CPUs its own form in PyTorch. Here
that form serves GPUs, too.

Shapes: value (B, tokens of all levels, h, d), shapes (levels, 2), locations
(B, queries, h, levels, points, 2) as x, y in [0, 1], weights
(B, queries, h, levels, points), output (B, queries, h * d).
"""

import torch
from torch import Tensor


def ms_deform_attn_forward(*tensors: Tensor, **_: int) -> Tensor:
    """Sum samples of all levels by their attention weights."""
    # mmcv.ops imports the module that this file is a part of.
    from mmcv.ops.multi_scale_deform_attn import (
        multi_scale_deformable_attn_pytorch as attend,
    )

    value, shapes, _starts, locations, weights = tensors
    return attend(value, shapes, locations, weights)


def ms_deform_attn_backward(*tensors: Tensor, **_: int) -> None:
    """Write the gradients of value, locations and weights."""
    value, shapes, starts, locations, weights, grad_output, *grads = tensors
    inputs = [t.detach().requires_grad_() for t in (value, locations, weights)]
    with torch.enable_grad():
        output = ms_deform_attn_forward(inputs[0], shapes, starts, *inputs[1:])
    gradients = torch.autograd.grad(output, inputs, grad_output)
    for target, gradient in zip(grads, gradients):
        target.copy_(gradient)
