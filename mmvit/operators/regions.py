"""Features of regions of interest (RoIs)."""

import torch
import torchvision  # noqa: F401  (registers torch.ops.torchvision)
from torch import Tensor


def _exact(x: Tensor) -> Tensor:
    # Half precision would round the corners of boxes by several pixels.
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def _settings(how: dict) -> tuple[tuple, tuple]:
    """What torchvision's functions take before and after the map's size."""
    if how['pool_mode'] != 1:
        raise NotImplementedError(
            "RoIAlign with pool_mode='max' needs mmcv's compiled operators; "
            "with torchvision's use pool_mode='avg'"
        )
    size = how['aligned_height'], how['aligned_width']
    after = how['sampling_ratio'], how['aligned']
    return (how['spatial_scale'], *size), after


def roi_align_forward(
    x: Tensor, rois: Tensor, output: Tensor, *_: Tensor, **how: float
) -> None:
    """Average bilinear samples of a map in the bins of each RoI.

    RoIAlign of `Mask R-CNN <https://arxiv.org/abs/1703.06870>`_. With a
    `sampling_ratio` of 0 a bin has as many samples as tokens, rounded up.

    Shape: x (B, C, H, W), rois (K, 5) as image, x1, y1, x2, y2, output
        (K, C, aligned_height, aligned_width).

    Raises:
        NotImplementedError: If `pool_mode` is not 1, the average.
    """
    before, after = _settings(how)
    x = _exact(x).contiguous()
    rois = rois.to(x).contiguous()
    align = torch.ops.torchvision.roi_align
    output.copy_(align(x, rois, *before, *after))


def roi_align_backward(*tensors: Tensor, **how: float) -> None:
    """Write the gradient of `roi_align_forward` to `grad_input`."""
    grad_output, rois, _, _, grad_input = tensors
    before, after = _settings(how)
    grad = _exact(grad_output).contiguous()
    rois = rois.to(grad).contiguous()
    align = torch.ops.torchvision._roi_align_backward
    grad_input.copy_(align(grad, rois, *before, *grad_input.shape, *after))


def _bins(start: Tensor, stop: Tensor, number: int, length: int) -> Tensor:
    """Which tokens of an axis belong to which bins, (number, length)."""
    edges = torch.arange(number + 1, device=start.device, dtype=start.dtype)
    edges = start + edges * ((stop - start) / number)
    low, high = edges[:-1].floor(), edges[1:].ceil()
    tokens = torch.arange(length, device=start.device, dtype=start.dtype)
    return (tokens >= low[:, None]) & (tokens < high[:, None])


def roi_pool_forward(
    *tensors: Tensor, pooled_height: int, pooled_width: int, **how: float
) -> None:
    """Take the maximum of a map in the bins of each RoI.

    This is mmcv's definition. torchvision's RoIPool rounds the corners of a
    RoI first, which gives other bins. `argmax` gets the places of the maxima
    in a map; a bin without a token has 0 and the place -1.

    Shape: x (B, C, H, W), rois (K, 5), output and argmax
        (K, C, pooled_height, pooled_width).
    """
    x, rois, output, argmax = tensors
    scale, (height, width) = how['spatial_scale'], x.shape[2:]
    rois = _exact(rois)
    argmax.fill_(-1)
    for index, (image, x1, y1, x2, y2) in enumerate(rois):
        left, top = x1 * scale, y1 * scale
        right, bottom = (x2 + 1) * scale, (y2 + 1) * scale
        if right <= left or bottom <= top:
            continue
        rows = _bins(top, bottom, pooled_height, height)
        columns = _bins(left, right, pooled_width, width)
        # -> (height, width, H * W)
        inside = rows[:, None, :, None] & columns[None, :, None, :]
        inside = inside.flatten(2)
        tokens = x[int(image)].flatten(1)[:, None, None]
        tokens = tokens.masked_fill(~inside, -torch.inf)
        values, places = tokens.max(-1)
        filled = inside.any(-1)
        output[index] = values.masked_fill(~filled, 0)
        argmax[index] = places.masked_fill(~filled, -1).to(argmax.dtype)


def roi_pool_backward(*tensors: Tensor, **_: float) -> None:
    """Add the gradient of `roi_pool_forward` to `grad_input`."""
    grad_output, rois, argmax, grad_input = tensors
    channels, height, width = grad_input.shape[1:]
    # -> (K, C, bins), the places counted over all images and channels
    maps = rois[:, 0].long()[:, None] * channels
    maps = maps + torch.arange(channels, device=rois.device)
    places = maps[..., None] * (height * width) + argmax.flatten(2)
    filled = argmax.flatten(2) >= 0
    grad_input.view(-1).index_add_(
        0, places[filled], grad_output.flatten(2)[filled]
    )
