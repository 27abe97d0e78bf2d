"""Test-time augmentation of semantic segmentation."""

import torch
from mmengine.structures import PixelData
from mmseg.models import SegTTAModel
from mmseg.structures import SegDataSample

from mmvit.registry import MODELS


@MODELS.register_module()
class SegmentationTTAModel(SegTTAModel):
    """mmseg's `SegTTAModel`, which also merges the views of one-logit heads.

    With one output channel, the `seg_logits` of mmseg's predictions are
    probabilities: the sigmoid has been applied. mmseg's class applies it once
    more, so that every pixel is above a threshold of 0.5.
    """

    def merge_preds(
        self, data_samples_list: list[list[SegDataSample]]
    ) -> list[SegDataSample]:
        """Average the views' probabilities, each image's views in a list."""
        if self.module.out_channels > 1:
            return super().merge_preds(data_samples_list)
        threshold = self.module.decode_head.threshold
        merged = []
        for views in data_samples_list:
            mean = torch.stack([one.seg_logits.data for one in views]).mean(0)
            sample = views[0]
            sample.pred_sem_seg = PixelData(data=(mean > threshold).to(mean))
            merged.append(sample)
        return merged
