"""Transforms for label maps: reading and cropping."""

import copy
from pathlib import Path

import torch
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS as ALL_TRANSFORMS

from mmvit.checkpoints import safe_load
from mmvit.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadTokenLabels(BaseTransform):
    """Read an image's label map, before any crop.

    As published, a map is a tensor (2, k, h, w) in a `.pt` file: the k
    highest scores of each cell, before the softmax, and their classes. It
    covers the whole image. Its path in `root` has the last parts of the
    image's path: `root/n01440764/n01440764_18.pt`.

    Args:
        root: Folder of the maps.
        depth: Number of these parts, including the file name.

    Required keys: img_path. Added keys: token_labels (2, k, h, w) and
    token_label_box, the crop (left, top, right, bottom) relative to the size.
    """

    def __init__(self, root: str, depth: int = 2) -> None:
        if depth < 1:
            raise ValueError(f'depth {depth!r} must be 1 (the name) or more')
        self.root = Path(root)
        self.depth = depth

    def transform(self, results: dict) -> dict:
        parts = Path(results['img_path']).with_suffix('.pt').parts
        path = self.root.joinpath(*parts[-self.depth :])
        if not path.is_file():
            raise FileNotFoundError(
                f'{results["img_path"]} has no label map {path}: set root '
                'and depth of LoadTokenLabels, or make the maps with '
                'tools/dataset_converters/label_maps.py'
            )
        labels = safe_load(str(path))
        shape = getattr(labels, 'shape', ())
        if len(shape) != 4 or shape[0] != 2:
            kind = type(labels).__name__.lower()
            raise ValueError(
                f'{path} has a {kind} {(*shape,)}, but a label map is a '
                'tensor (2, k, h, w): scores and classes'
            )
        results['token_labels'] = labels
        results['token_label_box'] = torch.tensor([0.0, 0.0, 1.0, 1.0])
        return results

    def __repr__(self) -> str:
        return f'LoadTokenLabels(root={str(self.root)!r}, depth={self.depth})'


@TRANSFORMS.register_module()
class CropWithTokenLabels(BaseTransform):
    """Crop an image and record the box for reading its label map.

    TokenLabelPreprocessor reads a later flip from the keys `flip` and
    `flip_direction`, which mmcv's RandomFlip writes.

    Args:
        crop: A crop of mmpretrain, such as RandomResizedCrop: a transform
            whose `rand_crop_params(img)` draws (top, left, height, width).

    Required keys: img, token_label_box. Changed keys: token_label_box, and
    what the crop changes.
    """

    def __init__(self, crop: dict) -> None:
        self.crop = ALL_TRANSFORMS.build(crop)

    def transform(self, results: dict) -> dict:
        if results.get('flip'):
            raise ValueError(
                'already flipped: put RandomFlip after CropWithTokenLabels'
            )
        height, width = results['img'].shape[:2]
        drawn = self.crop.rand_crop_params(results['img'])
        top, left, rows, columns = drawn
        # A copy that returns the drawn parameters
        crop = copy.copy(self.crop)
        crop.rand_crop_params = lambda _: drawn
        results = crop(results)
        inner = torch.tensor([left, top, left + columns, top + rows])
        inner = inner / torch.tensor([width, height] * 2)
        start, end = results['token_label_box'].view(2, 2).repeat(1, 2)
        results['token_label_box'] = start + inner * (end - start)
        return results

    def __repr__(self) -> str:
        return f'CropWithTokenLabels(crop={self.crop!r})'
