"""RoIAlign and RoIPool against loops over bins and samples."""

import pytest
import torch
from mmcv.ops import roi_align, roi_pool
from torch.testing import assert_close

from . import naive

pytestmark = pytest.mark.usefixtures('served')

# Inside, outside of the image, without area, upside down, larger than it.
ROIS = torch.tensor(
    [
        [0, 1.3, 2.6, 9.1, 7.7],
        [1, 0.0, 0.0, 15.0, 11.0],
        [1, -6.0, -5.0, 3.5, 4.0],
        [0, 40.0, 40.0, 60.0, 50.0],
        [0, 4.0, 4.0, 4.0, 4.0],
        [1, 6.0, 6.0, 3.0, 2.0],
        [0, -10.0, -10.0, 40.0, 40.0],
    ]
)


def maps(dtype=torch.float64):
    gen = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, 6, 8, generator=gen, dtype=torch.float64).to(
        dtype
    )


@pytest.mark.parametrize('samples', [0, 2])
@pytest.mark.parametrize('aligned', [True, False])
def test_roi_align(samples, aligned):
    x = maps().requires_grad_()
    out = roi_align(x, ROIS.double(), 3, 0.5, samples, 'avg', aligned)
    weights = naive.roi_align((2, 6, 8), ROIS, 3, 0.5, samples, aligned)
    weights = torch.from_numpy(weights)
    assert_close(out, torch.einsum('kijbhw,bchw->kcij', weights, x))
    grad = torch.rand_like(out)
    out.backward(grad)
    assert_close(x.grad, torch.einsum('kijbhw,kcij->bchw', weights, grad))


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_roi_align_in_half_precision(dtype):
    x = maps(dtype).requires_grad_()
    rois = ROIS + 0.3
    out = roi_align(x, rois, 3, 0.5, 2, 'avg', True)
    assert out.dtype == dtype
    weights = naive.roi_align((2, 6, 8), rois, 3, 0.5, 2, True)
    weights = torch.from_numpy(weights)
    expected = torch.einsum('kijbhw,bchw->kcij', weights, x.double())
    # Rounded once, at the end: corners in half precision would be far off.
    assert_close(out, expected.to(dtype), rtol=0, atol=0.01)
    out.sum().backward()
    grad = weights.sum((0, 1, 2))[:, None].expand(2, 3, 6, 8)
    assert x.grad.dtype == dtype
    assert_close(x.grad, grad.to(dtype), rtol=0.01, atol=0.01)


def test_roi_align_in_any_memory_order():
    x = maps().requires_grad_()
    plain = roi_align(x, ROIS.double(), 3, 0.5, 2, 'avg', True)
    last = x.to(memory_format=torch.channels_last)
    moved = x.transpose(2, 3).contiguous().transpose(2, 3)
    grad = torch.rand_like(plain).to(memory_format=torch.channels_last)
    (expected,) = torch.autograd.grad(plain, x, grad.contiguous())
    for other in (last, moved):
        assert not other.is_contiguous()
        out = roi_align(other, ROIS.double(), 3, 0.5, 2, 'avg', True)
        assert_close(out, plain)
        (own,) = torch.autograd.grad(out, x, grad)
        assert_close(own, expected)


def test_roi_align_without_rois():
    x = maps().requires_grad_()
    out = roi_align(x, torch.zeros(0, 5).double(), 3, 0.5, 2, 'avg', True)
    assert out.shape == (0, 3, 3, 3)
    out.sum().backward()
    assert not x.grad.any()


def test_roi_align_by_maxima_is_refused():
    with pytest.raises(NotImplementedError, match="pool_mode='avg'"):
        roi_align(maps(), ROIS.double(), 3, 0.5, 2, 'max', True)


@pytest.mark.parametrize('scale', [0.5, 1.0])
def test_roi_pool(scale):
    x = maps().requires_grad_()
    out = roi_pool(x, ROIS.double(), 2, scale)
    expected, places = naive.roi_pool(x.detach(), ROIS, 2, scale)
    assert_close(out, torch.from_numpy(expected))
    grad = torch.rand_like(out)
    out.backward(grad)
    expected = torch.zeros_like(x)
    for where, place in places.items():
        expected[place] += grad[where]
    assert_close(x.grad, expected)
    assert x.grad.any()


def test_roi_pool_in_half_precision():
    x = maps(torch.bfloat16).requires_grad_()
    out = roi_pool(x, ROIS, 2, 0.5)
    expected, _ = naive.roi_pool(x.detach().double(), ROIS, 2, 0.5)
    assert_close(out.double(), torch.from_numpy(expected))
    out.sum().backward()
    assert x.grad.isfinite().all()
