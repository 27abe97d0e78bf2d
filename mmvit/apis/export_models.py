"""Models as they are exported: images in, tensors out.

The libraries' own predictions are objects in Python, and their detectors
choose boxes in Python branches. Here the same is computed with tensors of a
fixed number of boxes, from the parts of the libraries' heads.
"""

import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn


class ExportedModel(nn.Module):
    """Base class: normalises images and computes feature maps.

    Args:
        model: A model of mmdet, mmseg or mmpretrain.

    Shape: images (B, 3, H, W), RGB, from 0 to 255 -> see the subclasses.
    """

    #: Names of the outputs.
    outputs: tuple[str, ...] = ()

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        prepare = model.data_preprocessor
        # The libraries read images as BGR.
        self.is_rgb = bool(
            getattr(prepare, '_channel_conversion', False)
            or getattr(prepare, 'to_rgb', False)
        )

    def features(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute the maps that the head reads."""
        prepare = self.model.data_preprocessor
        if not self.is_rgb:
            images = images.flip(1)
        if prepare._enable_normalize:
            images = (images - prepare.mean) / prepare.std
        maps = self.model.backbone(images.to(self._dtype()))
        if getattr(self.model, 'neck', None) is not None:
            maps = self.model.neck(maps)
        return maps

    def _dtype(self) -> torch.dtype:
        return next(self.model.parameters()).dtype


class ExportedBackbone(ExportedModel):
    """The feature maps of a backbone that is part of no model.

    Shape: images as the backbone takes them, normalised -> maps.
    """

    def __init__(self, backbone: nn.Module) -> None:
        nn.Module.__init__(self)
        self.model = backbone
        self.outputs = tuple(f'map_{i}' for i in backbone.out_indices)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        maps = self.model(images.to(self._dtype()))
        return tuple(part.float() for part in maps)


class ExportedClassifier(ExportedModel):
    """Scores of the classes.

    Shape: images -> (B, num_classes).
    """

    outputs = ('scores',)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        logits = self.model.head(self.features(images))
        return (logits.float().softmax(-1),)


class ExportedSegmentor(ExportedModel):
    """Logits of the classes for each pixel.

    Shape: images -> (B, num_classes, H, W).
    """

    outputs = ('logits',)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        head = self.model.decode_head
        logits = F.interpolate(
            head(self.features(images)),
            images.shape[2:],
            mode='bilinear',
            align_corners=head.align_corners,
        )
        return (logits.float(),)


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
        Boxes, scores and groups. Places that are left over have a score of
        -1.

    Shape: (B, N, 4), twice (B, N) -> (B, number, 4), twice (B, number).
    """
    # Boxes of other groups and images lie far away.
    images = torch.arange(scores.shape[0], device=scores.device)
    places = images[:, None] * (groups.max() + 1) + groups
    shifted = boxes + (places * (boxes.max() + 1))[..., None]
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
    boxes = boxes.gather(1, index[..., None].expand(-1, -1, 4))
    return boxes, scores, groups.gather(1, index)


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


class ExportedRetinaNet(ExportedModel):
    """Boxes of RetinaNet, after non-maximum suppression.

    Shape: images -> boxes (B, D, 4) as (x1, y1, x2, y2) in pixels, scores
        (B, D) and labels (B, D), D the number of `max_per_img`. Places that
        are left over have a score of -1.
    """

    outputs = ('boxes', 'scores', 'labels')

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        head = self.model.bbox_head
        boxes, scores, classes, _ = dense_candidates(
            head, self.features(images), images.shape[2:]
        )
        cfg = head.test_cfg
        return best_boxes(
            boxes,
            scores,
            classes,
            cfg.max_per_img,
            cfg.nms.iou_threshold,
            cfg.score_thr,
        )


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


class ExportedRCNN(ExportedModel):
    """Boxes of Faster R-CNN, and masks of Mask R-CNN.

    Shape: images -> as `ExportedRetinaNet`, and with a mask head masks (B, D,
        side, side): probabilities within each box.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        masks = ('masks',) if model.roi_head.with_mask else ()
        self.outputs = (*ExportedRetinaNet.outputs, *masks)

    def _proposals(
        self, maps: tuple[Tensor, ...], size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        head = self.model.rpn_head
        boxes, scores, _, levels = dense_candidates(head, maps, size)
        cfg = head.test_cfg
        boxes, scores, _ = best_boxes(
            boxes, scores, levels, cfg.max_per_img, cfg.nms.iou_threshold
        )
        return boxes, scores

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        maps, size = self.features(images), images.shape[2:]
        proposals, confidence = self._proposals(maps, size)
        roi_head = self.model.roi_head
        head, cfg = roi_head.bbox_head, roi_head.test_cfg
        logits, deltas = head(
            region_features(roi_head.bbox_roi_extractor, maps, proposals)
        )
        scores = logits.float().softmax(-1)[:, :-1]
        batch, number = confidence.shape
        scores = scores.unflatten(0, (batch, number))
        scores = torch.where(confidence[..., None] < 0, -1.0, scores)
        classes = scores.shape[2]
        # (B, P, K * 4) -> (B * P * K, 4)
        deltas = deltas.float().unflatten(1, (-1, 4))
        deltas = deltas.expand(-1, classes, -1).flatten(0, 1)
        boxes = proposals[:, :, None].expand(-1, -1, classes, -1)
        boxes = head.bbox_coder.decode(
            boxes.flatten(0, 2), deltas, max_shape=size
        )
        labels = torch.arange(classes, device=boxes.device)
        labels = labels.expand(batch, number, -1).flatten(1)
        found = best_boxes(
            boxes.view(batch, number * classes, 4),
            scores.flatten(1),
            labels,
            cfg.max_per_img,
            cfg.nms.iou_threshold,
            cfg.score_thr,
        )
        if not roi_head.with_mask:
            return found
        return *found, self._masks(maps, found[0], found[2])

    def _masks(
        self, maps: tuple[Tensor, ...], boxes: Tensor, labels: Tensor
    ) -> Tensor:
        roi_head = self.model.roi_head
        logits = roi_head.mask_head(
            region_features(roi_head.mask_roi_extractor, maps, boxes)
        )
        if logits.shape[1] > 1:
            index = labels.flatten()[:, None, None, None]
            index = index.expand(-1, 1, *logits.shape[2:])
            logits = logits.gather(1, index)
        masks = logits[:, 0].float().sigmoid()
        return masks.unflatten(0, labels.shape)


def _has_anchors(head: nn.Module) -> bool:
    parts = ('prior_generator', 'bbox_coder', 'use_sigmoid_cls')
    coder = type(getattr(head, 'bbox_coder', None)).__name__
    return (
        all(hasattr(head, part) for part in parts)
        and head.use_sigmoid_cls
        and coder == 'DeltaXYWHBBoxCoder'
    )


def for_export(model: nn.Module) -> ExportedModel:
    """Wrap a model, or a backbone alone, for the export.

    Raises:
        ValueError: If the model is of a kind that cannot be exported; the
            message has the reason.
    """
    name = type(model).__name__
    if hasattr(model, 'out_indices'):
        return ExportedBackbone(model)
    if not hasattr(model, 'data_preprocessor'):
        raise ValueError(f'{name} is no model of mmdet, mmseg or mmpretrain')
    if hasattr(model, 'decode_head'):
        if isinstance(model.decode_head, nn.ModuleList):
            raise ValueError(f'{name}: cascades of heads are not exported')
        return ExportedSegmentor(model)
    if hasattr(model, 'roi_head'):
        kind = type(model.roi_head).__name__
        if kind != 'StandardRoIHead' or not _has_anchors(model.rpn_head):
            raise ValueError(
                f'{name} with {kind} cannot be exported: mmdet chooses its '
                'boxes between the stages in Python. Export Faster or Mask '
                "R-CNN, or the config's backbone (--part backbone)"
            )
        return ExportedRCNN(model)
    head = getattr(model, 'bbox_head', None)
    if type(head).__name__ == 'RetinaHead' and _has_anchors(head):
        return ExportedRetinaNet(model)
    if head is not None:
        raise ValueError(
            f'{name} with {type(head).__name__} cannot be exported: its '
            'boxes are computed by code of mmdet that reads the metadata of '
            "each image. Export the config's backbone (--part backbone)"
        )
    if getattr(model, 'head', None) is not None:
        return ExportedClassifier(model)
    raise ValueError(f'{name} has no head that can be exported')
