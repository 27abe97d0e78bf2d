"""Models as they are exported: images in, tensors out.

The libraries' own predictions are objects in Python. Here the same is computed
with tensors of fixed shapes, from the parts of the libraries' models.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .export_boxes import best_boxes, dense_candidates, region_features


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


class _WholeUpsample(nn.Module):
    """Upsampling by a whole number, which leaves the size of a graph open.

    mmseg's `Upsample` computes the size with floats, and torch.export then
    takes it for a constant.
    """

    def __init__(self, factor: int, mode: str, align_corners: bool) -> None:
        super().__init__()
        self.factor = factor
        self.args = dict(mode=mode, align_corners=align_corners)

    def forward(self, x: Tensor) -> Tensor:
        size = [length * self.factor for length in x.shape[2:]]
        return F.interpolate(x, size, **self.args)


class ExportedSegmentor(ExportedModel):
    """Logits of the classes for each pixel.

    Shape: images -> (B, num_classes, H, W).
    """

    outputs = ('logits',)

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        for path, old in list(model.decode_head.named_modules()):
            factor = getattr(old, 'scale_factor', None)
            is_whole = isinstance(factor, float) and factor.is_integer()
            if type(old).__name__ == 'Upsample' and is_whole:
                new = _WholeUpsample(int(factor), old.mode, old.align_corners)
                model.decode_head.set_submodule(path, new)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        head = self.model.decode_head
        logits = F.interpolate(
            head(self.features(images)),
            images.shape[2:],
            mode='bilinear',
            align_corners=head.align_corners,
        )
        return (logits.float(),)


class ExportedRetinaNet(ExportedModel):
    """Boxes of RetinaNet, after non-maximum suppression.

    Shape: images -> boxes (B, D, 4) as (x1, y1, x2, y2) in pixels, scores
        (B, D) and labels (B, D), D the number of `max_per_img`. Places that
        are left over have boxes of zeros, and -1 as score and label.
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
            index = labels.flatten().clamp(min=0)[:, None, None, None]
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
