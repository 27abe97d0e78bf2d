"""Merging the views of one image: heads with one logit."""

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmvit.models import SegmentationTTAModel


class Segmentor(BaseModel):
    def __init__(self, out_channels: int, threshold: float) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.decode_head = torch.nn.Identity()
        self.decode_head.threshold = threshold

    def forward(self, inputs: torch.Tensor) -> None:
        raise NotImplementedError


def merge(out_channels: int, threshold: float, *views: list) -> list:
    model = SegmentationTTAModel(module=Segmentor(out_channels, threshold))
    samples = [
        SegDataSample(
            seg_logits=PixelData(data=torch.tensor(view)),
            gt_sem_seg=PixelData(data=torch.ones(1, 1, 3)),
            metainfo=dict(img_path='a.jpg'),
        )
        for view in views
    ]
    (merged,) = model.merge_preds([samples])
    assert merged.img_path == 'a.jpg' and 'gt_sem_seg' in merged
    return merged.pred_sem_seg.data.tolist()


@pytest.mark.parametrize(
    ('threshold', 'wanted'), [(0.5, [0, 1, 1]), (0.3, [1, 1, 1])]
)
def test_probabilities_are_averaged(threshold, wanted):
    views = [[[0.2, 0.6, 0.9]]], [[[0.6, 0.6, 0.9]]]
    assert merge(1, threshold, *views) == [[wanted]]


def test_several_channels_are_merged_as_in_mmseg():
    views = [[[0.0, 2.0]], [[1.0, 1.0]]], [[[0.0, 2.0]], [[1.0, 1.0]]]
    assert merge(2, 0.5, *views) == [[[1, 0]]]
