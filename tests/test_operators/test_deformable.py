"""Deformable convolution and attention against loops over samples."""

import pytest
import torch
import torch.nn.functional as F
from mmcv.ops import deform_conv2d, modulated_deform_conv2d
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction
from torch.testing import assert_close

from . import naive

pytestmark = pytest.mark.usefixtures('served')


def draw(*shape, scale=1.0, seed=0):
    gen = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=gen, dtype=torch.float64) * scale
    return x.requires_grad_()


# kernel, stride, padding, dilation, groups, offset groups
GEOMETRIES = [(3, 1, 1, 1, 1, 1), (3, 2, 1, 1, 2, 2), (2, 1, 2, 2, 1, 2)]


def inputs(geometry):
    kernel, stride, padding, dilation, groups, parts = geometry
    x = draw(2, 4, 5, 6)
    reach = dilation * (kernel - 1) + 1
    rows, columns = (
        (side + 2 * padding - reach) // stride + 1 for side in (5, 6)
    )
    taps = parts * kernel**2
    # Some samples lie far outside of the image.
    offset = draw(2, 2 * taps, rows, columns, scale=2.0, seed=1)
    mask = draw(2, taps, rows, columns, seed=2)
    weight = draw(4, 4 // groups, kernel, kernel, seed=3)
    return x, offset, mask, weight, draw(4, seed=4)


def as_arrays(*tensors):
    return [None if t is None else t.detach().numpy() for t in tensors]


@pytest.mark.parametrize('geometry', GEOMETRIES)
@pytest.mark.parametrize('with_bias', [True, False])
def test_modulated(geometry, with_bias):
    x, offset, mask, weight, bias = inputs(geometry)
    bias = bias if with_bias else None
    out = modulated_deform_conv2d(x, offset, mask, weight, bias, *geometry[1:])
    expected = naive.deform_conv(
        *as_arrays(x, offset, mask, weight, bias), *geometry[1:]
    )
    assert_close(out, torch.from_numpy(expected))
    given = [t for t in (x, offset, mask, weight, bias) if t is not None]

    def run(*tensors):
        tensors = (*tensors, None)[:5]
        return modulated_deform_conv2d(*tensors, *geometry[1:])

    assert torch.autograd.gradcheck(run, given, fast_mode=True)


@pytest.mark.parametrize('geometry', GEOMETRIES)
def test_without_mask(geometry):
    x, offset, _, weight, _ = inputs(geometry)
    out = deform_conv2d(x, offset, weight, *geometry[1:])
    expected = naive.deform_conv(
        *as_arrays(x, offset, None, weight, None), *geometry[1:]
    )
    assert_close(out, torch.from_numpy(expected))
    assert torch.autograd.gradcheck(
        lambda *t: deform_conv2d(*t, *geometry[1:]),
        (x, offset, weight),
        fast_mode=True,
    )


def test_modulated_with_offsets_of_a_larger_map():
    """As mmdet's DyHead calls it: numbers are read one after the other."""
    x, offset, mask, weight, bias = inputs(GEOMETRIES[0])
    large = [F.pad(t, (0, 3, 0, 2)) for t in (offset, mask)]
    read = [
        t.flatten(1)[:, : s[0].numel()].reshape(s.shape)
        for t, s in zip(large, (offset, mask))
    ]
    args = (weight, bias, *GEOMETRIES[0][1:])
    out = modulated_deform_conv2d(x, *large, *args)
    expected = modulated_deform_conv2d(x, *read, *args)
    assert_close(out, expected)
    weights = torch.rand_like(out)
    for leaf in (offset, mask, x):
        own, other = (
            torch.autograd.grad(y, leaf, weights, retain_graph=True)[0]
            for y in (out, expected)
        )
        assert own.any()
        assert_close(own, other)
    with pytest.raises(ValueError, match='too few'):
        modulated_deform_conv2d(x, offset[..., 1:], mask[..., 1:], *args)


def test_modulated_in_half_precision():
    geometry = GEOMETRIES[0]
    tensors = [
        t.detach().bfloat16().requires_grad_() for t in inputs(geometry)
    ]
    out = modulated_deform_conv2d(*tensors, *geometry[1:])
    assert out.dtype == torch.bfloat16
    expected = naive.deform_conv(
        *as_arrays(*(t.double() for t in tensors)), *geometry[1:]
    )
    assert_close(out.double(), torch.from_numpy(expected), rtol=0.02, atol=0.1)
    out.sum().backward()
    assert all(t.grad.isfinite().all() for t in tensors)


def test_attention():
    shapes = torch.tensor([[3, 4], [2, 2]])
    value = draw(2, 16, 2, 3)
    locations = draw(2, 5, 2, 2, 3, 2, scale=0.5, seed=1)
    weights = draw(2, 5, 2, 2, 3, seed=2)
    start = torch.tensor([0, 12])

    def run(value, locations, weights):
        return MultiScaleDeformableAttnFunction.apply(
            value, shapes, start, locations, weights, 64
        )

    out = run(value, locations, weights)
    expected = naive.deform_attention(
        value.detach().numpy(),
        shapes.tolist(),
        locations.detach().numpy(),
        weights.detach().numpy(),
    )
    assert_close(out, torch.from_numpy(expected))
    assert torch.autograd.gradcheck(
        run, (value, locations, weights), fast_mode=True
    )
