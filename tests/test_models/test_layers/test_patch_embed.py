import math

import pytest
import torch
import torch.nn.functional as F

from mmvit.models.layers import PatchEmbed


@pytest.mark.parametrize(
    ('stride', 'kernel_size', 'padding'),
    [(4, None, 0), (4, 7, 3), (2, 3, 1), (4, 7, 2), (8, None, 0)],
)
@pytest.mark.parametrize('size', [(32, 64), (33, 65), (13, 30)])
def test_patch_embed(size, stride, kernel_size, padding):
    embed = PatchEmbed(3, 5, stride, kernel_size, padding=padding)
    x = torch.rand(2, *size, 3)
    out = embed(x)
    height, width = (math.ceil(side / stride) for side in size)
    assert out.shape == (2, height, width, 5)
    # The added zeros are those of an image with a border of zeros.
    padded = F.pad(x, (0, 0, 0, 2 * stride, 0, 2 * stride))
    torch.testing.assert_close(
        embed(padded)[:, :height, :width], out, rtol=1e-4, atol=1e-5
    )


def test_patch_embed_sees_the_last_pixels():
    embed = PatchEmbed(3, 5, 4)
    x = torch.rand(1, 9, 9, 3)
    changed = x.clone()
    changed[:, 8, 8] += 1
    difference = (embed(x) - embed(changed)).abs().sum(-1)[0]
    assert difference[2, 2] > 0
    assert difference[:2].sum() == difference[:, :2].sum() == 0
