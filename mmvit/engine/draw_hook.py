"""Drawing of predictions in a test."""

from pathlib import Path

from mmengine.dist import get_dist_info
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.utils import mkdir_or_exist

from mmvit.registry import HOOKS
from mmvit.utils.paths import path_within
from mmvit.visualization.drawing import draw_sample
from mmvit.visualization.images import load_image, loading_step


@HOOKS.register_module()
class DrawHook(Hook):
    """Draws the test's predictions, beside the truth where it is known.

    Args:
        out_dir: Folder for the pictures. A picture's name has the image's
            number in the test, its folder and its name.
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
        while not hasattr(dataset, 'pipeline') and hasattr(dataset, 'dataset'):
            dataset = dataset.dataset
        self._load = loading_step(getattr(dataset, 'pipeline', None))
        self._count = 0

    def after_test_iter(
        self, runner: Runner, outputs: list, **_: object
    ) -> None:
        """Draw those images of a batch whose turn it is."""
        rank, processes = get_dist_info()
        for sample in outputs:
            # The sampler deals the images out, one to each process in turn.
            number = self._count * processes + rank
            if number % self.interval == 0:
                path = sample.get('img_path')
                image = load_image(self._load, path)
                # Images in two folders may have one name.
                place = f'{Path(path).parent.name}_{Path(path).stem}'
                name = f'{number:06d}_{place}.png'
                out_file = path_within(self.out_dir, name)
                draw_sample(
                    runner.visualizer,
                    image,
                    sample,
                    out_file,
                    score_thr=self.score_thr,
                )
            self._count += 1
