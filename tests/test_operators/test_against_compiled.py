"""Our operators against mmcv's compiled ones, where these are installed."""

import importlib

import mmcv.ops
import pytest
import torch
import torch.nn.functional as F
from mmcv.ops import (
    modulated_deform_conv2d,
    nms,
    roi_align,
    soft_nms,
)
from torch.testing import assert_close

from .test_boxes import boxes_of
from .test_deformable import GEOMETRIES, inputs
from .test_regions import ROIS, maps

compiled = importlib.import_module('mmcv._ext')
pytestmark = pytest.mark.skipif(
    not getattr(compiled, '__file__', None),
    reason='mmcv has no compiled operators here',
)


@pytest.fixture
def both(serve, served):
    """Call a function with either set of operators: (compiled, ours)."""

    def call(function):
        serve(compiled)
        expected = function()
        serve(served)
        return expected, function()

    return call


@pytest.mark.parametrize('offset', [0, 1])
def test_nms(both, offset):
    boxes, scores = boxes_of(300)
    old, new = both(lambda: nms(boxes, scores, 0.4, offset))
    assert_close(new, old, rtol=0, atol=0)


@pytest.mark.parametrize('method', ['naive', 'linear', 'gaussian'])
def test_soft_nms(both, method):
    boxes, scores = boxes_of(200)
    # With boxes of no area the compiled ones compute 0 / 0.
    boxes[:, 2:] += 0.5
    old, new = both(lambda: soft_nms(boxes, scores, 0.3, method=method))
    assert_close(new, old)


@pytest.mark.parametrize('samples', [0, 2])
@pytest.mark.parametrize('aligned', [True, False])
def test_roi_align(both, samples, aligned):
    def run():
        x = maps(torch.float32).requires_grad_()
        # The compiled ones refuse boxes that are upside down.
        rois = ROIS[[0, 1, 2, 3, 4, 6]]
        out = roi_align(x, rois, 3, 0.5, samples, 'avg', aligned)
        out.square().sum().backward()
        return out, x.grad

    assert_close(*both(run))


@pytest.mark.parametrize('geometry', GEOMETRIES)
@pytest.mark.parametrize('modulated', [True, False])
def test_deform_conv(both, geometry, modulated):
    def run():
        x, offset, mask, weight, bias = (
            t.detach().float().requires_grad_() for t in inputs(geometry)
        )
        if modulated:
            given = (x, offset, mask, weight, bias)
            out = modulated_deform_conv2d(*given, *geometry[1:])
        else:
            given = (x, offset, weight)
            out = mmcv.ops.deform_conv2d(*given, *geometry[1:])
        out.square().sum().backward()
        return out, *(t.grad for t in given)

    assert_close(*both(run), rtol=1e-4, atol=1e-4)


def test_deform_conv_with_offsets_of_a_larger_map(both):
    def run():
        given = [
            t.detach().float().requires_grad_() for t in inputs(GEOMETRIES[0])
        ]
        x, offset, mask, weight, bias = given
        large = (F.pad(t, (0, 3, 0, 2)) for t in (offset, mask))
        out = modulated_deform_conv2d(
            x, *large, weight, bias, *GEOMETRIES[0][1:]
        )
        out.square().sum().backward()
        return out, *(t.grad for t in given)

    assert_close(*both(run), rtol=1e-4, atol=1e-4)
