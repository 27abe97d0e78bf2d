"""Non-maximum suppression."""

import numpy as np
import torch
import torchvision
from torch import Tensor


def nms(
    boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int
) -> Tensor:
    """Keep boxes whose IoU with no kept box of a higher score is too high.

    A score of NaN ranks first, as in torch.sort. Width and height are
    x2 - x1 + offset and y2 - y1 + offset.

    Returns:
        Indices of the kept boxes, highest score first.

    Shape: boxes (N, 4) as x1, y1, x2, y2, scores (N,) -> (at most N,).
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

    `Soft-NMS <https://arxiv.org/abs/1704.04503>`_, on the CPU, as in mmcv.
    Method 0 drops boxes with an IoU of `iou_threshold` or more, 1 multiplies
    their scores by 1 - IoU, 2 multiplies all scores by exp(-IoU^2 / sigma).
    Boxes whose score falls below `min_score` are dropped.

    Returns:
        Indices of the boxes that are left, highest new score first; `dets`
        gets these boxes and scores.

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
