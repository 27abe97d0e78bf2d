"""MixToken, the mixing of token labeling."""

import numpy as np
from torch import Tensor

from mmvit.registry import MODELS

from ..layers import ceil_div


@MODELS.register_module()
class MixToken:
    """Paste a region of another image, with its labels, into each image.

    Section 3.2: the region consists of whole tokens, so that each token shows
    one image, and the labels of its tokens move with it. Differs from the
    release: whole patches of `stride` pixels are mixed, not embedded ones,
    which is the same if patches do not overlap; the 7x7 kernels of an
    overlapping embedding read 3 pixels across the border of the region.

    Images are mixed with the batch in reverse order; all share one region.

    Args:
        alpha: The region's share of the image is 1 - Beta(alpha, alpha).
        stride: Side of a token, in pixels of the image.

    Shape: images (B, 3, H, W) and scores (B, K), or (B, 1 + N, K) with the
        image's scores first and those of its N tokens after them -> the same.
    """

    def __init__(self, alpha: float = 1.0, stride: int = 32) -> None:
        if alpha <= 0:
            raise ValueError(f'alpha {alpha!r} must be above 0')
        self.alpha = alpha
        self.stride = stride

    def draw_region(self, rows: int, columns: int) -> tuple[int, ...]:
        """Draw a region of a grid of tokens: top, bottom, left, right."""
        side = np.sqrt(1 - np.random.beta(self.alpha, self.alpha))
        region = []
        for length in (rows, columns):
            size = int(length * side)
            start = np.random.randint(length) - size // 2
            region += [max(start, 0), min(start + size, length)]
        return tuple(region)

    def __call__(self, images: Tensor, scores: Tensor) -> tuple:
        rows, columns = (ceil_div(n, self.stride) for n in images.shape[2:])
        if scores.ndim == 3 and scores.shape[1] != 1 + rows * columns:
            raise ValueError(
                f'{scores.shape[1] - 1} tokens have scores, but an image of '
                f'{images.shape[2]}x{images.shape[3]} pixels has {rows}x'
                f'{columns} tokens of {self.stride} pixels'
            )
        top, bottom, left, right = self.draw_region(rows, columns)
        share = (bottom - top) * (right - left) / (rows * columns)
        other = scores.flip(0)
        mixed = (1 - share) * scores + share * other
        if scores.ndim == 3:
            mixed[:, 1:] = scores[:, 1:]
            grid = 1, (rows, columns)
            region = slice(None), slice(top, bottom), slice(left, right)
            tokens, there = mixed[:, 1:], other[:, 1:]
            # unflatten returns a view: this writes into mixed.
            tokens.unflatten(*grid)[region] = there.unflatten(*grid)[region]
        rows = slice(top * self.stride, bottom * self.stride)
        columns = slice(left * self.stride, right * self.stride)
        images, there = images.clone(), images.flip(0)
        images[..., rows, columns] = there[..., rows, columns]
        return images, mixed
