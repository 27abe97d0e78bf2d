"""Deformable convolutions, by torchvision's kernels.

Of `DCN <https://arxiv.org/abs/1703.06211>`_ and, with a factor for each
sample, of `DCNv2 <https://arxiv.org/abs/1811.11168>`_. Both libraries order
the channels of offsets and masks in the same way. The functions take mmcv's
tensors, of which those without a name here are its scratch memory, and its
`**sizes`: stride, padding, dilation and groups.

Shapes: x (B, C, H, W), weight (C', C / groups, kH, kW), offset
(B, 2 * offset_groups * kH * kW, H', W') as y, x, mask with half as many
channels, output (B, C', H', W').
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import deform_conv2d


def _exact(*tensors: Tensor) -> list[Tensor]:
    """Convert half precision, which the kernels do not have everywhere."""
    is_half = tensors[0].dtype.itemsize < 4
    return [t.float() if is_half else t for t in tensors]


def _as_read(samples: Tensor, output: Tensor) -> Tensor:
    """Offsets or masks, in the way in which mmcv's kernels read them.

    mmdet's DyHead passes those of a larger map than the output. The kernels
    read the numbers of an image one after the other, as if each row were as
    long as the output's, and published weights were trained with that.
    """
    size = output.shape[2:]
    if samples.shape[2:] == size:
        return samples
    flat, number = samples.flatten(1), samples.shape[1] * size.numel()
    if flat.shape[1] < number:
        raise ValueError(
            f'offsets and masks of {tuple(samples.shape[2:])} positions are '
            f'too few for an output of {tuple(size)}'
        )
    return flat[:, :number].unflatten(1, (-1, *size))


def _write(gradient: Tensor, target: Tensor) -> None:
    """Undo `_as_read` for a gradient; what was not read gets 0."""
    flat = gradient.flatten(1)
    missing = target[0].numel() - flat.shape[1]
    target.copy_(F.pad(flat, (0, missing)).view(target.shape))


def _geometry(sizes: dict[str, int]) -> tuple[int, ...]:
    """Stride, padding and dilation, each of rows and columns."""
    names = ('stride_h', 'stride_w', 'pad_h', 'pad_w')
    names += ('dilation_h', 'dilation_w')
    if 'dH' in sizes:  # the convolution without a mask has other names
        names = ('dH', 'dW', 'padH', 'padW', 'dilationH', 'dilationW')
    return tuple(sizes[name] for name in names)


def _convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    offset: Tensor,
    mask: Tensor | None,
    sizes: dict[str, int],
) -> Tensor:
    steps = _geometry(sizes)
    pairs = steps[:2], steps[2:4], steps[4:]
    return deform_conv2d(x, offset, weight, bias, *pairs, mask)


def _gradients(
    grad_output: Tensor,
    x: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor | None,
    sizes: dict[str, int],
) -> tuple[Tensor, ...]:
    """Gradients of input, weight, offset, mask and bias."""
    given = x.new_zeros(len(x), 1) if mask is None else mask
    tensors = _exact(grad_output, x, weight, offset, given)
    return torch.ops.torchvision._deform_conv2d_backward(
        *(tensor.contiguous() for tensor in tensors),
        tensors[2].new_zeros(len(weight)),
        *_geometry(sizes),
        sizes['group'],
        sizes['deformable_group'],
        mask is not None,
    )


def modulated_deform_conv_forward(
    *tensors: Tensor, with_bias: bool, **sizes: int
) -> None:
    """Convolve samples at moved places, each times its mask, to `output`."""
    x, weight, bias, _, offset, mask, output, _ = tensors
    offset, mask = _as_read(offset, output), _as_read(mask, output)
    x, weight, bias, offset, mask = _exact(x, weight, bias, offset, mask)
    bias = bias if with_bias else None
    output.copy_(_convolve(x, weight, bias, offset, mask, sizes))


def modulated_deform_conv_backward(
    *tensors: Tensor, with_bias: bool, **sizes: int
) -> None:
    """Write the gradients of `modulated_deform_conv_forward`."""
    x, weight, _, _, offset, mask, _, *targets, grad_output = tensors
    grad_input, grad_weight, grad_bias, grad_offset, grad_mask = targets
    offset, mask = _as_read(offset, grad_output), _as_read(mask, grad_output)
    gradients = _gradients(grad_output, x, weight, offset, mask, sizes)
    grad_input.copy_(gradients[0])
    grad_weight.copy_(gradients[1])
    _write(gradients[2], grad_offset)
    _write(gradients[3], grad_mask)
    if with_bias:
        grad_bias.copy_(gradients[4])


def deform_conv_forward(*tensors: Tensor, **sizes: int) -> None:
    """Convolve samples at moved places, to `output`."""
    x, weight, offset, output, _, _ = tensors
    x, weight, offset = _exact(x, weight, offset)
    output.copy_(_convolve(x, weight, None, offset, None, sizes))


def deform_conv_backward_input(*tensors: Tensor, **sizes: int) -> None:
    """Write the gradients of input and offset."""
    x, offset, grad_output, grad_input, grad_offset, weight, _ = tensors
    gradients = _gradients(grad_output, x, weight, offset, None, sizes)
    grad_input.copy_(gradients[0])
    grad_offset.copy_(gradients[2])


def deform_conv_backward_parameters(
    *tensors: Tensor, scale: float, **sizes: int
) -> None:
    """Write the gradient of the weight, times `scale`."""
    x, offset, grad_output, grad_weight, _, _ = tensors
    # It does not depend on the weight's own values.
    weight = torch.zeros_like(grad_weight)
    gradients = _gradients(grad_output, x, weight, offset, None, sizes)
    grad_weight.copy_(gradients[1] * scale)
