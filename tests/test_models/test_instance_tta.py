"""Merging the views of one image: boxes, and the masks that belong to them."""

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.model import BaseModel
from mmengine.structures import InstanceData
from torch import Tensor

from mmvit.models import InstanceTTAModel

SIZE = 40, 60


class Detector(BaseModel):
    """Has found already what the samples hold."""

    def forward(self, inputs: Tensor) -> None:
        raise NotImplementedError

    def test_step(self, data: dict) -> list[DetDataSample]:
        # mmdet's cascades would flip, and fail
        assert not any(sample.flip for sample in data['data_samples'])
        return data['data_samples']


@pytest.fixture
def model() -> InstanceTTAModel:
    nms = dict(type='nms', iou_threshold=0.5)
    return InstanceTTAModel(
        tta_cfg=ConfigDict(nms=nms, max_per_img=10), module=Detector()
    )


def merge(model: InstanceTTAModel, *views: DetDataSample) -> InstanceData:
    samples = [[sample] for sample in views]
    (merged,) = model.test_step(
        dict(inputs=[[None]] * len(views), data_samples=samples)
    )
    return merged.pred_instances


def mask_of(box: list[int]) -> Tensor:
    mask = torch.zeros(SIZE, dtype=torch.bool)
    left, top, right, bottom = box
    mask[top:bottom, left:right] = True
    # Not symmetric, so that a forgotten flip shows.
    mask[top, left] = False
    return mask


def view(
    instances: list[tuple], direction: str | None = None
) -> DetDataSample:
    """A view of (box, score, label): the boxes as on the original image."""
    axes = dict(horizontal=(-1,), vertical=(-2,), diagonal=(-2, -1))
    boxes, masks = torch.zeros(0, 4), torch.zeros(0, *SIZE, dtype=torch.bool)
    if instances:
        boxes = torch.tensor([i[0] for i in instances]).float()
        masks = torch.stack([mask_of(i[0]) for i in instances])
    if direction in ('horizontal', 'diagonal'):
        boxes[:, [0, 2]] = SIZE[1] - boxes[:, [2, 0]]
    if direction in ('vertical', 'diagonal'):
        boxes[:, [1, 3]] = SIZE[0] - boxes[:, [3, 1]]
    masks = masks.flip(axes.get(direction, ()))
    sample = DetDataSample(
        metainfo=dict(
            ori_shape=SIZE, flip=bool(direction), flip_direction=direction
        )
    )
    sample.pred_instances = InstanceData(
        bboxes=boxes,
        scores=torch.tensor([i[1] for i in instances]),
        labels=torch.tensor([i[2] for i in instances], dtype=torch.long),
        masks=masks,
    )
    return sample


@pytest.mark.parametrize('direction', ['horizontal', 'vertical', 'diagonal'])
def test_a_box_keeps_the_mask_of_its_view(model, direction):
    seen_twice = [4, 6, 24, 20]
    only_flipped = [30, 20, 56, 38]
    plain = view([(seen_twice, 0.6, 1), ([2, 24, 20, 36], 0.3, 0)])
    flipped = view([(only_flipped, 0.8, 2), (seen_twice, 0.9, 1)], direction)
    found = merge(model, plain, flipped)
    assert found.labels.tolist() == [1, 2, 0]
    assert found.scores.tolist() == pytest.approx([0.9, 0.8, 0.3])
    boxes = [seen_twice, only_flipped, [2, 24, 20, 36]]
    assert found.bboxes.tolist() == boxes
    for mask, box in zip(found.masks, boxes):
        assert torch.equal(mask, mask_of(box))


def test_at_most_max_per_img(model):
    instances = [([4 * i, 2, 4 * i + 3, 9], 0.1 * i, 0) for i in range(9)]
    model.tta_cfg['max_per_img'] = 4
    found = merge(model, view(instances), view([]))
    assert len(found) == 4
    assert torch.equal(found.masks[0], mask_of([32, 2, 35, 9]))


def test_nothing_found(model):
    found = merge(model, view([]), view([], 'horizontal'))
    assert len(found) == 0
    assert found.masks.shape == (0, *SIZE)


def test_boxes_without_masks(model):
    views = [view([([4, 6, 24, 20], 0.6, 1)], d) for d in (None, 'horizontal')]
    for sample in views:
        del sample.pred_instances.masks
    assert merge(model, *views).bboxes.tolist() == [[4, 6, 24, 20]]


def test_views_of_sizes_alone(model):
    views = [view([([4, 6, 24, 20], score, 1)]) for score in (0.6, 0.7)]
    for sample in views:
        del sample.flip, sample.flip_direction
    found = merge(model, *views)
    assert found.scores.tolist() == pytest.approx([0.7])
    assert torch.equal(found.masks[0], mask_of([4, 6, 24, 20]))
