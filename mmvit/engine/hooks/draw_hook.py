import inspect
import os.path as osp

import mmcv
from mmengine.fileio import get
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.utils import mkdir_or_exist

from mmvit.registry import HOOKS

_SMALL = 400  # pixels; a smaller picture is enlarged, or labels hide it


@HOOKS.register_module()
class DrawHook(Hook):
    """Draws the test's predictions, beside the truth where it is known.

    Each library's visualizer does the drawing: boxes and masks, label maps,
    class names.

    Args:
        out_dir: Folder for the pictures; named like the images.
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
        mkdir_or_exist(self.out_dir)
        runner.visualizer.dataset_meta = (
            runner.test_dataloader.dataset.metainfo
        )
        self._count = 0

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,  # noqa: ARG002
        data_batch: dict | None = None,  # noqa: ARG002
        outputs: list | None = None,
    ) -> None:
        for sample in outputs:
            if self._count % self.interval == 0:
                self._draw(runner, sample)
            self._count += 1

    def _draw(self, runner: Runner, sample: object) -> None:
        path = sample.get('img_path')
        image = mmcv.imfrombytes(get(path), channel_order='rgb')
        name = osp.splitext(osp.basename(path))[0]
        visualizer = runner.visualizer
        draw = getattr(visualizer, 'visualize_cls', visualizer.add_datasample)
        options = dict(
            pred_score_thr=self.score_thr,
            with_labels=min(image.shape[:2]) >= _SMALL,
            rescale_factor=max(1, _SMALL / min(image.shape[:2])),
        )
        known = inspect.signature(draw).parameters
        options = {
            key: value for key, value in options.items() if key in known
        }
        if 'name' in known:
            options['name'] = name
        draw(
            image=image,
            data_sample=sample.cpu(),
            out_file=osp.join(self.out_dir, f'{name}.png'),
            **options,
        )
