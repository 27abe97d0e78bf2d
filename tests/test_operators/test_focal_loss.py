"""Focal loss against its formula, one number at a time."""

import pytest
import torch
from mmcv.ops import sigmoid_focal_loss
from torch.testing import assert_close

from . import naive

pytestmark = pytest.mark.usefixtures('served')

# -1 is ignored by mmdet's weights, 4 is background.
TARGETS = torch.tensor([0, 3, 4, 1, -1, 2])


def logits(dtype=torch.float64):
    gen = torch.Generator().manual_seed(0)
    x = torch.randn(6, 4, generator=gen, dtype=torch.float64) * 3
    return x.to(dtype).requires_grad_()


@pytest.mark.parametrize('weight', [None, torch.tensor([1.0, 0.5, 2.0, 3.0])])
@pytest.mark.parametrize('gamma', [2.0, 1.5, 0.0])
def test_sigmoid_focal_loss(gamma, weight):
    x = logits()
    if weight is not None:
        weight = weight.double()
    loss = sigmoid_focal_loss(x, TARGETS, gamma, 0.25, weight, 'none')
    expected = torch.tensor(
        [
            [
                naive.sigmoid_focal_loss(value, c == target, gamma, 0.25)
                * (
                    1
                    if weight is None or target not in range(4)
                    else float(weight[target])
                )
                for c, value in enumerate(row)
            ]
            for row, target in zip(x.tolist(), TARGETS.tolist())
        ],
        dtype=torch.float64,
    )
    assert_close(loss, expected)
    assert torch.autograd.gradcheck(
        lambda z: sigmoid_focal_loss(
            z, TARGETS, gamma, 0.25, weight, 'none'
        ).sum(),
        x,
    )


@pytest.mark.parametrize('reduction', ['mean', 'sum'])
def test_reductions(reduction):
    x = logits()
    each = sigmoid_focal_loss(x, TARGETS, 2.0, 0.25, None, 'none')
    total = sigmoid_focal_loss(x, TARGETS, 2.0, 0.25, None, reduction)
    assert_close(total, each.sum() / (6 if reduction == 'mean' else 1))
    (grad,) = torch.autograd.grad(total, x)
    assert grad.shape == x.shape and grad.any()


def test_extreme_logits_stay_finite():
    x = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], requires_grad=True)
    loss = sigmoid_focal_loss(x, torch.tensor([1, 1]), 2.0, 0.25, None, 'sum')
    loss.backward()
    assert_close(loss, torch.tensor(200 * 0.75 + 200 * 0.25))
    assert_close(x.grad, torch.tensor([[0.75, -0.25], [0.0, 0.0]]))


def test_half_precision():
    x = logits(torch.bfloat16)
    loss = sigmoid_focal_loss(x, TARGETS, 2.0, 0.25, None, 'none')
    exact = sigmoid_focal_loss(x.double(), TARGETS, 2.0, 0.25, None, 'none')
    assert loss.dtype == torch.bfloat16
    assert_close(loss, exact.to(loss.dtype))


def test_no_rows():
    x = torch.zeros(0, 4, requires_grad=True)
    loss = sigmoid_focal_loss(x, torch.zeros(0, dtype=torch.long))
    assert loss.shape == () or loss.numel() == 0
