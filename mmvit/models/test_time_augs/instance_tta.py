"""Test-time augmentation of instance segmentation."""

from collections.abc import Sequence
from itertools import chain

import torch
from mmcv.ops import batched_nms
from mmdet.models import DetTTAModel
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor

from mmvit.registry import MODELS

FLIPPED_AXES = dict(horizontal=(-1,), vertical=(-2,), diagonal=(-2, -1))


@MODELS.register_module()
class InstanceTTAModel(DetTTAModel):
    """Merge the boxes and masks predicted for several views of an image.

    The boxes of all views go through one NMS, as in mmdet's `DetTTAModel`,
    which does not support masks. Each remaining box keeps its mask, flipped
    back if its view was flipped.

    Args:
        tta_cfg: `nms`, the config of mmcv's NMS, and `max_per_img`, the most
            instances of an image; other arguments are `BaseTTAModel`'s.
    """

    def test_step(self, data: dict[str, list]) -> list[DetDataSample]:
        # mmdet's cascades treat the masks of their stages as views and fail
        # to flip them, so flips are hidden from the detector. Views that
        # differ only in size have no key `flip`.
        for sample in chain.from_iterable(data['data_samples']):
            flips = dict(
                flip=False,
                view_flip=sample.get('flip', False),
                flip_direction=sample.get('flip_direction'),
            )
            sample.set_metainfo(flips)
        return super().test_step(data)

    def merge_preds(
        self, data_samples_list: Sequence[Sequence[DetDataSample]]
    ) -> list[DetDataSample]:
        for sample in chain.from_iterable(data_samples_list):
            sample.set_metainfo(dict(flip=sample.view_flip))
        return super().merge_preds(data_samples_list)

    def _merge_single_sample(
        self, data_samples: list[DetDataSample]
    ) -> DetDataSample:
        views = [sample.pred_instances for sample in data_samples]
        if 'masks' not in views[0]:
            return super()._merge_single_sample(data_samples)
        boxes, scores = self.merge_aug_bboxes(
            [view.bboxes for view in views],
            [view.scores for view in views],
            [sample.metainfo for sample in data_samples],
        )
        merged = data_samples[0]
        if not len(boxes):
            return merged
        labels = torch.cat([view.labels for view in views])
        boxes, kept = (
            part[: self.tta_cfg.max_per_img]
            for part in batched_nms(boxes, scores, labels, self.tta_cfg.nms)
        )
        merged.pred_instances = InstanceData(
            bboxes=boxes[:, :4],
            scores=boxes[:, 4],
            labels=labels[kept],
            masks=self._masks_of(kept, data_samples),
        )
        return merged

    @staticmethod
    def _masks_of(kept: Tensor, data_samples: list[DetDataSample]) -> Tensor:
        """Shape: kept (n,), numbers through all views -> (n, H, W)."""
        first = data_samples[0].pred_instances.masks
        masks = first.new_empty(len(kept), *first.shape[1:])
        start = 0
        # Flip only the kept masks, to save memory.
        for sample in data_samples:
            view = sample.pred_instances.masks
            here = (kept >= start) & (kept < start + len(view))
            chosen = view[kept[here] - start]
            if sample.flip:
                chosen = chosen.flip(FLIPPED_AXES[sample.flip_direction])
            masks[here] = chosen
            start += len(view)
        return masks
