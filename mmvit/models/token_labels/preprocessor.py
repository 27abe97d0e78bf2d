"""The data preprocessor of token labeling, which makes the targets."""

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.model import ImgDataPreprocessor
from mmengine.structures import BaseDataElement
from torch import Tensor
from torchvision.ops import roi_align

from mmvit.registry import MODELS

from ..layers import ceil_div


def to_scores(
    labels: Tensor, box: Tensor, grid: tuple[int, int], num_classes: int
) -> Tensor:
    """Compute the scores of an image and of its tokens from its label map.

    The cells of the map under the image and under each token are averaged
    (RoIAlign), followed by a softmax over all classes. Classes that are not
    among a cell's highest have the score 0 before the softmax.

    Args:
        labels: Label map (2, k, h, w): highest scores and their classes.
        box: The crop of the image, (left, top, right, bottom), relative to
            its size.

    Shape: -> (1 + H * W, K) for a grid (H, W) of tokens, the image's first.
    """
    scores, classes = labels.float().unbind(0)
    classes = classes.long()
    if classes.max() >= num_classes:
        raise ValueError(
            f'a label map has class {classes.max().item()}, but num_classes '
            f'is {num_classes}'
        )
    _, height, width = scores.shape
    dense = scores.new_zeros(1, num_classes, height, width)
    dense[0].scatter_(0, classes, scores)
    # In cells of the map
    boxes = [(box * box.new_tensor([width, height] * 2))[None]]
    image, tokens = (
        roi_align(dense, boxes, size, aligned=True)[0].flatten(1)
        for size in ((1, 1), grid)
    )
    # (K, 1 + H * W) -> (1 + H * W, K)
    return torch.cat([image, tokens], 1).softmax(0).t()


def flip_tokens(
    scores: Tensor, grid: tuple[int, int], direction: str
) -> Tensor:
    """Flip the tokens in (1 + H * W, K); the image's scores come first."""
    dims = dict(vertical=(0,), horizontal=(1,), diagonal=(0, 1))[direction]
    tokens = scores[1:].unflatten(0, grid).flip(dims)
    return torch.cat([scores[:1], tokens.flatten(0, 1)])


@MODELS.register_module()
class TokenLabelPreprocessor(ImgDataPreprocessor):
    """Normalise images and make the targets of token labeling.

    In training, samples with a label map (LoadTokenLabels, packed by
    PackInputs with `algorithm_keys=('token_labels', 'token_label_box')`) get
    gt_score (K,) and gt_token_score (N, K) on the model's device, and the
    batch is mixed. In testing it works like mmpretrain's preprocessor.

    Args:
        mean, std, num_classes, to_rgb: See mmpretrain's ClsDataPreprocessor.
        stride: Side of a token of the backbone's last map, in pixels.
        label_smooth_val: Share of a target that is spread over all classes.
        batch_augments: `dict(augments=[...])`: augmentations of images
            (B, 3, H, W) and scores (B, 1 + N, K), of which each batch gets
            one. ImageClassifier passes its train_cfg.
    """

    def __init__(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        num_classes: int,
        to_rgb: bool = False,
        stride: int = 32,
        label_smooth_val: float = 0.1,
        batch_augments: dict | None = None,
    ) -> None:
        super().__init__(mean, std, bgr_to_rgb=to_rgb)
        self.num_classes = num_classes
        self.stride = stride
        self.label_smooth_val = label_smooth_val
        given = batch_augments or dict(augments=[])
        self.augments = [MODELS.build(cfg) for cfg in given['augments']]

    def forward(self, data: dict, training: bool = False) -> dict:
        data = super().forward(data, training)
        samples = data.get('data_samples')
        if training and samples and 'token_labels' in samples[0]:
            data['inputs'] = self._add_targets(data['inputs'], samples)
        return data

    def _add_targets(
        self, images: Tensor, samples: list[BaseDataElement]
    ) -> Tensor:
        grid = tuple(ceil_div(n, self.stride) for n in images.shape[2:])
        scores = torch.stack([self._target(s, grid) for s in samples])
        if self.augments:
            chosen = int(np.random.random() * len(self.augments))
            images, scores = self.augments[chosen](images, scores)
        for sample, target in zip(samples, scores):
            sample.set_gt_score(target[0])
            sample.set_field(target[1:], 'gt_token_score')
            del sample.token_labels
        return images

    def _target(
        self, sample: BaseDataElement, grid: tuple[int, int]
    ) -> Tensor:
        scores = to_scores(
            sample.token_labels, sample.token_label_box, grid, self.num_classes
        )
        if sample.get('flip'):
            scores = flip_tokens(scores, grid, sample.flip_direction)
        smooth = self.label_smooth_val
        return scores * (1 - smooth) + smooth / self.num_classes
