"""Boxes that exported detectors choose, and how they are compared."""

import torch

from mmvit.apis.export_boxes import best_boxes, pair_boxes


def test_best_boxes_suppress_within_group_and_image():
    same = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
    boxes = same.expand(2, 3, 4)
    scores = torch.tensor([[0.5, 0.9, 0.4], [0.1, 0.2, 0.8]])
    groups = torch.tensor([[0, 0, 1], [0, 0, 0]])
    _, kept, labels = best_boxes(boxes, scores, groups, 2, 0.5, 0.3)
    torch.testing.assert_close(kept, torch.tensor([[0.9, 0.4], [0.8, -1.0]]))
    assert labels[0].tolist() == [0, 1]


def test_boxes_of_a_large_batch_keep_their_precision():
    """80 classes on 256 images of 1333 pixels."""
    boxes = torch.tensor([[0, 0, 10, 10], [0, 0, 10, 5.1], [0, 0, 1333, 800]])
    boxes = boxes.expand(256, 3, 4)
    scores = torch.tensor([0.9, 0.8, 0.7]).expand(256, 3)
    groups = torch.full((256, 3), 79)
    groups[:, 2] = 0
    _, kept, _ = best_boxes(boxes, scores, groups, 3, 0.5)
    # The second box overlaps the first by 0.51.
    assert (kept == torch.tensor([0.9, 0.7, -1.0])).all()


def test_boxes_are_compared_in_any_order():
    boxes = torch.tensor([[[0.0, 0, 10, 10], [5, 5, 20, 20], [0, 0, 0, 0]]])
    scores = torch.tensor([[0.50001, 0.5, -1.0]])
    labels = torch.tensor([[3, 1, -1]])
    swapped = [part[:, [1, 0, 2]] for part in (boxes + 0.01, scores, labels)]
    pairs, number = pair_boxes([boxes, scores, labels], swapped)
    assert number == 2
    for ours, found in pairs:
        torch.testing.assert_close(ours, found, rtol=0, atol=0.02)
    torch.testing.assert_close(pairs[1][0], scores[0, :2])
    # Another label, and a box that only the graph has
    others = [boxes, scores.abs(), torch.tensor([[3, 2, 4]])]
    pairs, number = pair_boxes([boxes, scores, labels], others)
    assert number == 3
    assert pairs[2][0].tolist() == [3]
