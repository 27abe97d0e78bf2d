import inspect
import math
import os.path as osp

import mmcv
import numpy as np
import torch
import torch.nn.functional as F
from mmengine.fileio import get
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from mmengine.utils import mkdir_or_exist

from mmvit.registry import HOOKS

_SMALL = 384  # pixels; on a smaller picture names and lines hide the objects


def _enlarge(sample: BaseDataElement, factor: int) -> BaseDataElement:
    """Scale label maps, boxes and masks of a sample, in place."""
    for name in ('gt_sem_seg', 'pred_sem_seg'):
        if name in sample:
            labels = getattr(sample, name)
            data = labels.data.repeat_interleave(factor, -2)
            data = data.repeat_interleave(factor, -1)
            setattr(sample, name, type(labels)(data=data))
    for name in ('gt_instances', 'pred_instances'):
        if name not in sample:
            continue
        instances = getattr(sample, name)
        instances.bboxes = instances.bboxes * factor
        if 'masks' in instances:
            masks = instances.masks
            if not isinstance(masks, torch.Tensor):
                size = masks.height, masks.width
                masks = torch.from_numpy(masks.to_ndarray().copy())
                masks = masks.reshape(-1, *size)
            instances.masks = (
                F.interpolate(
                    masks[None].float(), scale_factor=factor, mode='nearest'
                )[0]
                .bool()
                .numpy()
            )
    return sample


@HOOKS.register_module()
class DrawHook(Hook):
    """Draws the test's predictions, beside the truth where it is known.

    Each library's visualizer does the drawing: the truth on the left, the
    prediction on the right. Small images are enlarged first.

    Args:
        out_dir: Folder for the pictures, named by the images and their folder.
        interval: One image in so many is drawn.
        score_thr: Boxes with a lower score are not drawn.
    """

    def __init__(
        self, out_dir: str, interval: int = 1, score_thr: float = 0.3
    ) -> None:
        self.out_dir = out_dir
        self.interval = interval
        self.score_thr = score_thr
        self._count = 0

    def before_test(self, runner: Runner) -> None:
        """Make the folder, and tell the visualizer the classes."""
        mkdir_or_exist(self.out_dir)
        dataset = runner.test_dataloader.dataset
        runner.visualizer.dataset_meta = dataset.metainfo
        self._count = 0

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,  # noqa: ARG002
        data_batch: dict | None = None,  # noqa: ARG002
        outputs: list | None = None,
    ) -> None:
        """Draw the images of a batch whose turn it is."""
        for sample in outputs:
            if self._count % self.interval == 0:
                self._draw(runner, sample.clone().cpu())
            self._count += 1

    def _draw(self, runner: Runner, sample: BaseDataElement) -> None:
        path = sample.get('img_path')
        image = mmcv.imfrombytes(get(path), channel_order='rgb')
        folder, name = osp.split(osp.splitext(path)[0])
        # Class folders may hold files of one name.
        name = f'{osp.basename(folder)}_{name}'
        factor = max(1, math.ceil(_SMALL / min(image.shape[:2])))
        if factor > 1:
            size = image.shape[1] * factor, image.shape[0] * factor
            image = mmcv.imresize(image, size, interpolation='bicubic')
            sample = _enlarge(sample, factor)
        visualizer = runner.visualizer
        draw = getattr(visualizer, 'visualize_cls', visualizer.add_datasample)
        options = dict(
            name=name, pred_score_thr=self.score_thr, with_image=True
        )
        known = inspect.signature(draw).parameters
        draw(
            image=np.ascontiguousarray(image),
            data_sample=sample,
            out_file=osp.join(self.out_dir, f'{name}.png'),
            **{key: value for key, value in options.items() if key in known},
        )
