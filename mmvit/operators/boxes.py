"""Non-maximum suppression."""

import numpy as np
import torch
import torchvision
from torch import Tensor


def nms(
    boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int
) -> Tensor:
    """Keep boxes that overlap no kept box with a higher score too much.

    Args:
        boxes: Corners x1, y1, x2, y2.
        scores: One a box; NaN ranks first, as in torch.sort.
        iou_threshold: Boxes of a higher IoU are dropped.
        offset: Width and height are x2 - x1 + offset and y2 - y1 + offset.

    Returns:
        Indices of the kept boxes, highest score first.

    Shape: boxes (N, 4), scores (N,) -> (at most N,).
    """
    boxes = boxes.float()
    if offset:
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    return torchvision.ops.nms(boxes, scores.float(), iou_threshold)


def _overlaps(boxes: np.ndarray, index: int, offset: int) -> np.ndarray:
    """IoU of one box with all, (N,); 0 for two boxes without area."""
    low = np.maximum(boxes[:, :2], boxes[index, :2])
    high = np.minimum(boxes[:, 2:], boxes[index, 2:])
    shared = np.clip(high - low + offset, 0, None).prod(1)
    areas = (boxes[:, 2:] - boxes[:, :2] + offset).prod(1)
    union = areas + areas[index] - shared
    return np.divide(shared, union, np.zeros_like(union), where=union != 0)


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Lower the scores of boxes that overlap a box with a higher score.

    Algorithm of `Soft-NMS <https://arxiv.org/abs/1704.04503>`_, on the CPU,
    where mmcv has it, too.

    Args:
        boxes: Corners x1, y1, x2, y2.
        scores: One a box.
        dets: Gets the boxes and their new scores, in the order of the result.
        iou_threshold: For methods 0 and 1: lower overlaps change nothing.
        sigma: For method 2: scores are multiplied by exp(-IoU^2 / sigma).
        min_score: Boxes whose score falls below it are dropped.
        method: 0 drops overlapping boxes, 1 multiplies their scores by
            1 - IoU, 2 by the Gaussian.
        offset: See `nms`.

    Returns:
        Indices of the boxes that are left, highest new score first.

    Shape: boxes (N, 4), scores (N,), dets (N, 5) -> (at most N,).
    """
    corners = boxes.detach().numpy()
    left = scores.detach().numpy().copy()
    alive = np.ones(len(left), bool)
    order = []
    while alive.any():
        best = int(np.where(alive, left, -np.inf).argmax())
        if not alive[best]:
            # Only NaN is left, which argmax cannot rank.
            best = int(alive.argmax())
        order.append(best)
        alive[best] = False
        iou = _overlaps(corners, best, offset)
        if method == 2:
            weights = np.exp(-(iou**2) / sigma)
        else:
            lowered = 0.0 if method == 0 else 1 - iou
            weights = np.where(iou >= iou_threshold, lowered, 1.0)
        left = np.where(alive, left * weights, left).astype(left.dtype)
        alive &= ~(left < min_score)
    inds = torch.tensor(order, dtype=torch.long)
    kept = torch.cat([boxes[inds], torch.from_numpy(left)[inds, None]], 1)
    dets[: len(order)] = kept
    return inds
