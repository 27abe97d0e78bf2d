"""Attention of `Deformable DETR <https://arxiv.org/abs/2010.04159>`_.

On GPUs mmcv calls compiled functions, on CPUs its own form in PyTorch. Here
that form serves GPUs, too.

Shapes: value (B, tokens of all levels, h, d), spatial_shapes (levels, 2),
sampling_locations (B, queries, h, levels, points, 2) as x, y in [0, 1],
attention_weights (B, queries, h, levels, points), output
(B, queries, h * d).
"""

import torch
from torch import Tensor


def _attend(
    value: Tensor, shapes: Tensor, locations: Tensor, weights: Tensor
) -> Tensor:
    # mmcv.ops imports the module that this file is a part of.
    from mmcv.ops.multi_scale_deform_attn import (
        multi_scale_deformable_attn_pytorch,
    )

    return multi_scale_deformable_attn_pytorch(
        value, shapes, locations, weights
    )


def ms_deform_attn_forward(
    value: Tensor,
    spatial_shapes: Tensor,
    _level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    im2col_step: int,  # noqa: ARG001  images at a time, in mmcv's kernel
) -> Tensor:
    """Sum samples of all levels by their attention weights."""
    return _attend(
        value, spatial_shapes, sampling_locations, attention_weights
    )


def ms_deform_attn_backward(
    value: Tensor,
    spatial_shapes: Tensor,
    _level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_locations: Tensor,
    grad_weights: Tensor,
    im2col_step: int,  # noqa: ARG001
) -> None:
    """Write the gradients of `ms_deform_attn_forward` to `grad_*`."""
    inputs = [
        tensor.detach().requires_grad_()
        for tensor in (value, sampling_locations, attention_weights)
    ]
    with torch.enable_grad():
        output = _attend(inputs[0], spatial_shapes, *inputs[1:])
    gradients = torch.autograd.grad(output, inputs, grad_output)
    for target, gradient in zip(
        (grad_value, grad_locations, grad_weights), gradients
    ):
        target.copy_(gradient)
