"""NMS and Soft-NMS against loops over boxes."""

import numpy as np
import pytest
import torch
from mmcv.ops import batched_nms, nms, soft_nms
from torch.testing import assert_close

from . import naive

pytestmark = pytest.mark.usefixtures('served')


def boxes_of(number, seed=0):
    """Boxes with many overlaps, some without area, and their scores."""
    gen = torch.Generator().manual_seed(seed)
    corner = torch.rand(number, 2, generator=gen) * 40
    size = torch.rand(number, 2, generator=gen) * 30
    size[::7] = 0
    boxes = torch.cat([corner, corner + size], 1)
    return boxes, torch.rand(number, generator=gen)


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('threshold', [0.0, 0.3, 0.7, 1.0])
def test_nms(offset, threshold):
    boxes, scores = boxes_of(60)
    dets, inds = nms(boxes, scores, threshold, offset)
    expected = naive.nms(
        boxes.double().tolist(), scores.tolist(), threshold, offset
    )
    assert inds.tolist() == expected
    assert_close(dets, torch.cat([boxes, scores[:, None]], 1)[inds])


def test_nms_of_nan_scores():
    boxes, scores = boxes_of(30)
    scores[[3, 11]] = torch.nan
    _, inds = nms(boxes, scores, 0.5)
    expected = naive.nms(boxes.double().tolist(), scores.tolist(), 0.5)
    # The order of the two NaN is not defined.
    assert set(inds[:2].tolist()) == {3, 11} == set(expected[:2])
    assert inds.tolist()[2:] == expected[2:]


@pytest.mark.parametrize('method', ['nms', 'soft_nms'])
def test_without_boxes(method):
    boxes, scores = torch.zeros(0, 4), torch.zeros(0)
    function = nms if method == 'nms' else soft_nms
    dets, inds = function(boxes, scores, 0.5)
    assert dets.shape == (0, 5) and inds.shape == (0,)
    assert inds.dtype == torch.long


def test_nms_limits():
    boxes, scores = boxes_of(60)
    _, all_inds = nms(boxes, scores, 0.5)
    _, inds = nms(boxes, scores, 0.5, max_num=5)
    assert inds.tolist() == all_inds[:5].tolist()
    _, inds = nms(boxes, scores, 0.5, score_threshold=0.6)
    assert inds.tolist() == [i for i in all_inds.tolist() if scores[i] > 0.6]


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_nms_in_half_precision(dtype):
    boxes, scores = (part.to(dtype) for part in boxes_of(40))
    _, inds = nms(boxes, scores, 0.5)
    assert sorted(inds.tolist()) == sorted(
        naive.nms(boxes.double().tolist(), scores.double().tolist(), 0.5)
    )


@pytest.mark.parametrize('split', [10, 10000])
def test_batched_nms(split):
    boxes, scores = boxes_of(60)
    classes = torch.arange(60) % 3
    cfg = dict(type='nms', iou_threshold=0.4, split_thr=split)
    _, inds = batched_nms(boxes, scores, classes, cfg)
    expected = [
        [i for i in range(60) if i % 3 == c][j]
        for c in range(3)
        for j in naive.nms(
            boxes[c::3].double().tolist(), scores[c::3].tolist(), 0.4
        )
    ]
    assert sorted(inds.tolist()) == sorted(expected)
    assert (scores[inds].diff() <= 0).all()


def test_batched_nms_over_all_classes():
    boxes, scores = boxes_of(60)
    cfg = dict(type='nms', iou_threshold=0.4)
    classes = torch.arange(60) % 3
    _, inds = batched_nms(boxes, scores, classes, cfg, class_agnostic=True)
    assert inds.tolist() == naive.nms(
        boxes.double().tolist(), scores.tolist(), 0.4
    )


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('method', ['naive', 'linear', 'gaussian'])
def test_soft_nms(method, offset):
    boxes, scores = boxes_of(50, seed=1)
    args = dict(iou_threshold=0.3, sigma=0.5, min_score=0.05, offset=offset)
    dets, inds = soft_nms(boxes, scores, method=method, **args)
    kept, new = naive.soft_nms(
        boxes.double().numpy(), scores, 0.3, 0.5, 0.05, method, offset
    )
    assert inds.tolist() == kept
    assert len(kept) < 50
    assert_close(dets[:, :4], boxes[inds])
    assert_close(dets[:, 4], torch.tensor(new).float(), rtol=1e-5, atol=1e-6)


def test_soft_nms_of_arrays():
    boxes, scores = (part.numpy() for part in boxes_of(20))
    dets, inds = soft_nms(boxes, scores)
    assert isinstance(dets, np.ndarray) and isinstance(inds, np.ndarray)
    assert len(dets) == len(inds)
