"""Boxes as exported detectors choose them: tensors of fixed shapes.

mmdet chooses boxes in Python branches, image by image. Here the same is
computed for all images at once, from the parts of mmdet's heads.
"""

import torch
import torchvision
from torch import Tensor, nn


def best_boxes(
    boxes: Tensor,
    scores: Tensor,
    groups: Tensor,
    number: int,
    iou_threshold: float,
    score_thr: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Keep the best boxes of each image, after non-maximum suppression.

    Args:
        boxes: Boxes as (x1, y1, x2, y2), in pixels.
        scores: Their scores; those up to `score_thr` are left out.
        groups: Boxes suppress only boxes of their own group, from 0.
        number: Boxes to keep.
        iou_threshold: Boxes that overlap a better one by more are left out.
        score_thr: Lowest score.

    Returns:
        Boxes, scores and groups. Places that are left over have boxes of
        zeros, and -1 as score and group.

    Shape: (B, N, 4), twice (B, N) -> (B, number, 4), twice (B, number).
    """
    # Boxes of other groups lie in other columns, those of other images in
    # other rows: in one row the places would be too far out for float32.
    rows = torch.arange(scores.shape[0], device=scores.device)
    places = torch.stack([groups, rows[:, None].expand_as(groups)], 2)
    shifted = boxes + places.repeat(1, 1, 2) * (boxes.max() + 1)
    flat = scores.flatten()
    found = (flat > score_thr).nonzero().squeeze(1)
    kept = torchvision.ops.nms(
        shifted.flatten(0, 1)[found], flat[found], iou_threshold
    )
    kept = found[kept]
    is_kept = torch.zeros_like(flat).scatter(
        0, kept, torch.ones_like(kept, dtype=flat.dtype)
    )
    scores = torch.where(is_kept.view_as(scores) > 0, scores, -1.0)
    number = torch.sym_min(number, scores.shape[1])
    scores, index = scores.topk(number)
    # Which of the others fill the places left over depends on the runtime.
    is_box = scores >= 0
    boxes = boxes.gather(1, index[..., None].expand(-1, -1, 4))
    boxes = torch.where(is_box[..., None], boxes, 0.0)
    return boxes, scores, torch.where(is_box, groups.gather(1, index), -1)


def dense_candidates(
    head: nn.Module, maps: tuple[Tensor, ...], size: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute the best boxes of each level of a head with anchors.

    Args:
        head: mmdet's AnchorHead, with a sigmoid.
        maps: The neck's maps.
        size: (H, W) of the images.

    Returns:
        Boxes, scores, classes, and levels.

    Shape: maps (B, C, H_i, W_i) -> (B, N, 4), three times (B, N).
    """
    parts = []
    for level, (logits, deltas) in enumerate(zip(*head(maps))):
        scores, deltas = (
            part.permute(0, 2, 3, 1).flatten(1).unflatten(1, (-1, width))
            for part, width in (
                (logits.float().sigmoid(), head.cls_out_channels),
                (deltas.float(), 4),
            )
        )
        anchors = head.prior_generator.single_level_grid_priors(
            logits.shape[2:], level, deltas.dtype, deltas.device
        )
        number = torch.sym_min(
            head.test_cfg.nms_pre, anchors.shape[0] * head.cls_out_channels
        )
        scores, index = scores.flatten(1).topk(number)
        which = index // head.cls_out_channels
        deltas = deltas.gather(1, which[..., None].expand(-1, -1, 4))
        boxes = head.bbox_coder.decode(
            anchors[which].flatten(0, 1), deltas.flatten(0, 1), max_shape=size
        )
        classes = index % head.cls_out_channels
        levels = torch.full_like(classes, level)
        boxes = boxes.view_as(deltas)
        smallest = head.test_cfg.get('min_bbox_size', -1)
        sides = boxes[..., 2:] - boxes[..., :2]
        scores = torch.where((sides > smallest).all(-1), scores, -1.0)
        parts.append((boxes, scores, classes, levels))
    return tuple(torch.cat(part, 1) for part in zip(*parts))


def region_features(
    extractor: nn.Module, maps: tuple[Tensor, ...], boxes: Tensor
) -> Tensor:
    """Cut the features of boxes from the level that fits their size.

    Each level is read for all boxes, so that no shape depends on values.

    Args:
        extractor: mmdet's SingleRoIExtractor.
        maps: The neck's maps.
        boxes: Boxes in pixels.

    Shape: boxes (B, N, 4) -> (B * N, C, side, side).
    """
    images = torch.arange(boxes.shape[0], device=boxes.device)
    images = images.to(boxes)[:, None, None].expand(-1, boxes.shape[1], 1)
    regions = torch.cat([images, boxes], 2).flatten(0, 1)
    number = len(extractor.roi_layers)
    levels = extractor.map_roi_levels(regions, number)
    features = 0
    for level, layer in enumerate(extractor.roi_layers):
        cut = torchvision.ops.roi_align(
            maps[level].float(),
            regions,
            layer.output_size,
            layer.spatial_scale,
            layer.sampling_ratio,
            layer.aligned,
        )
        features = (
            features + cut * (levels == level).to(cut)[:, None, None, None]
        )
    return features.to(maps[0].dtype)


def pair_boxes(
    expected: list[Tensor], found: list[Tensor]
) -> tuple[list[tuple[Tensor, Tensor]], int]:
    """Find the boxes that two outputs have in common, whatever their order.

    Where two boxes have almost the same score, rounding can change which of
    them is first, or which of them suppresses the other.

    Args:
        expected: Boxes, scores, labels, and masks if any, as
            `ExportedRetinaNet` returns them.
        found: The same from another program.

    Returns:
        For each of these parts, its values in both outputs for the boxes in
        common, and the larger of the two numbers of boxes. A box is the same
        if it has the same label, and if the sum of the differences of its
        coordinates is below a hundredth of the largest coordinate.
    """
    side = expected[0].max().clamp(min=1)
    # Labels differ by 1 or more.
    places = (
        torch.cat([boxes / side, labels[..., None]], 2)
        for boxes, _, labels, *_ in (expected, found)
    )
    distances, index = torch.cdist(*places, p=1).min(2)
    is_box = expected[1] >= 0
    image, box = (is_box & (distances < 0.01)).nonzero(as_tuple=True)
    pairs = [
        (ours[image, box], other[image, index[image, box]])
        for ours, other in zip(expected, found)
    ]
    return pairs, max(is_box.sum().item(), (found[1] >= 0).sum().item())
