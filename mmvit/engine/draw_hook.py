from pathlib import Path

import mmcv
from mmengine.fileio import get
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.utils import mkdir_or_exist

from mmvit.registry import HOOKS
from mmvit.utils.paths import path_within
from mmvit.visualization.drawing import draw_sample


@HOOKS.register_module()
class DrawHook(Hook):
    """Draws the test's predictions, beside the truth where it is known.

    Args:
        out_dir: Folder for the pictures, named by the images and their folder.
        interval: One of so many images is drawn.
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
        self, runner: Runner, outputs: list, **_: object
    ) -> None:
        """Draw those images of a batch whose turn it is."""
        for sample in outputs:
            if self._count % self.interval == 0:
                path = sample.get('img_path')
                image = mmcv.imfrombytes(get(path), channel_order='rgb')
                # Class folders may hold files of one name.
                name = f'{Path(path).parent.name}_{Path(path).stem}.png'
                out_file = path_within(self.out_dir, name)
                draw_sample(
                    runner.visualizer, image, sample, out_file, self.score_thr
                )
            self._count += 1
