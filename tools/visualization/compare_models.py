"""Draw the predictions of several models side by side, on the same images.

As Figures 5, 6, 8 and 9 of SETR and HLG: a picture for each image, with a
column for each model and its name above. The models have the same task and the
same classes.
"""

import argparse

from mmvit.apis.command_line import (
    CommandLine,
    checkpoint_path,
    config_path,
    existing_file,
)

EXAMPLES = """
  python tools/visualization/compare_models.py a.jpg b.jpg \\
      --configs mmseg::fcn/fcn_r101-d8_4xb4-160k_ade20k-512x512.py \\
      configs/setr/setr-pup_vit-l_8xb2-160k_ade20k-512x512.py \\
      --checkpoints fcn.pth setr.pth --names FCN SETR-PUP --out-dir compared
"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_argument(
        'images',
        type=existing_file,
        nargs='+',
        metavar='IMAGE',
        help='image files',
    )
    for name, kind, text in (
        ('config', config_path, 'configs, one for each model'),
        ('checkpoint', checkpoint_path, 'their weights, in the same order'),
        ('name', str, 'their names in the pictures, in the same order'),
    ):
        parser.add_argument(
            f'--{name}s',
            type=kind,
            nargs='+',
            required=True,
            metavar=name.upper(),
            help=text,
        )
    parser.add_shared('--score-thr', '--out-dir', '--device')
    parser.add_shared('--cfg-options', '--trust-checkpoint')
    args = parser.parse_args(argv)
    for what in ('checkpoints', 'names'):
        parser.check_one_each(args, what, 'configs')
    return args


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import os.path as osp
from dataclasses import dataclass

import torch
from mmcv.transforms import Compose
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.structures import BaseDataElement
from mmengine.utils import ProgressBar
from mmengine.visualization import Visualizer
from torch import nn

from mmvit.apis.config import load_config
from mmvit.apis.inference import (
    build_test_pipeline,
    class_names,
    load_model,
)
from mmvit.visualization.drawing import (
    build_visualizer,
    draw_side_by_side,
    save_picture,
)
from mmvit.visualization.images import load_image, loading_step


@dataclass
class Subject:
    """A model with its test pipeline and the visualizer of its task."""

    model: nn.Module
    pipeline: Compose
    visualizer: Visualizer

    def predict(self, path: str) -> BaseDataElement:
        """Predict on an image file."""
        data = self.pipeline(dict(img_path=path, img_id=0))
        with torch.no_grad():
            (sample,) = self.model.test_step(pseudo_collate([data]))
        return sample.cpu()


def build_subject(index: int, args: argparse.Namespace) -> Subject:
    """Build the model that has this place in the arguments."""
    cfg = load_config(args.configs[index], args.cfg_options)
    device = args.device or get_device()
    model = load_model(
        cfg, args.checkpoints[index], device, args.trust_checkpoint
    )
    meta = class_names(cfg, model)
    # The pipeline is built here, while the config's library is the default.
    return Subject(
        model,
        build_test_pipeline(cfg),
        build_visualizer(cfg, meta, f'mmvit.drawing {index}'),
    )


def check_same(subjects: list[Subject], names: list[str]) -> None:
    """Check that all models have the same classes.

    Raises:
        SystemExit: If they differ.
    """
    first, *others = (s.visualizer.dataset_meta['classes'] for s in subjects)
    for name, classes in zip(names[1:], others):
        if list(classes) != list(first):
            raise SystemExit(
                f'{name} has other classes than {names[0]}: compare models '
                'of the same data set'
            )


def main(argv: list[str] | None = None) -> None:
    """Draw; see --help."""
    args = parse_args(argv)
    subjects = [build_subject(index, args) for index in range(len(args.names))]
    check_same(subjects, args.names)
    visualizers = [subject.visualizer for subject in subjects]
    progress = ProgressBar(len(args.images))
    for index, path in enumerate(args.images):
        picture = draw_side_by_side(
            visualizers,
            load_image(loading_step(subjects[0].pipeline), path),
            [subject.predict(path) for subject in subjects],
            args.names,
            args.score_thr,
        )
        stem = osp.splitext(osp.basename(path))[0]
        # The number tells files of the same name in two folders apart.
        save_picture(picture, args.out_dir, f'{index:05d}_{stem}.png')
        progress.update()
    print(f'\nPictures: {osp.abspath(args.out_dir)}')


if __name__ == '__main__':
    main()
