"""Draw what a model is trained on: images and truth, after the pipeline."""

import argparse
import os.path as osp

from mmvit.apis.command_line import CommandLine

EXAMPLES = """
  python tools/visualization/browse_dataset.py CONFIG --out-dir browse \\
      --number 20
"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_shared('config', '--out-dir')
    parser.add_argument(
        '--split',
        choices=('train', 'val', 'test'),
        default='train',
        help="which of the config's data sets to draw",
    )
    parser.add_number('--number', 20, 'images, spread over the data set')
    parser.add_shared('--seed', '--cfg-options', '--trust-checkpoint')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import numpy as np
from mmengine.registry import DATASETS
from mmengine.utils import ProgressBar, mkdir_or_exist

from mmvit.apis.config import config_from_args
from mmvit.checkpoints import guard_loading
from mmvit.engine.guards.coco_files import coco_files
from mmvit.engine.guards.data_config import annotation_findings, check_paths
from mmvit.engine.guards.findings import stop_or_warn
from mmvit.engine.random_states import seed_all
from mmvit.utils.paths import path_within
from mmvit.visualization.drawing import build_visualizer, draw_sample
from mmvit.visualization.images import visible


@guard_loading()
def main(argv: list[str] | None = None) -> None:
    """Draw; see --help."""
    args = parse_args(argv)
    cfg = config_from_args(args)
    key = f'{args.split}_dataloader'
    check_paths(key, cfg[key])
    with coco_files():
        stop_or_warn(annotation_findings(cfg[key].dataset), f'{key}.dataset')
        dataset = DATASETS.build(cfg[key].dataset)
    visualizer = build_visualizer(cfg, dataset.metainfo)
    mkdir_or_exist(args.out_dir)
    number = min(args.number, len(dataset))
    progress = ProgressBar(number)
    chosen = np.linspace(0, len(dataset) - 1, number).round().astype(int)
    for index in chosen.tolist():
        # Each image has its own seed, so that it looks the same whatever the
        # number of images.
        seed_all(args.seed + index)
        data = dataset[index]
        # (C, H, W) -> (H, W, 3) RGB
        image = visible(data['inputs'].numpy().transpose(1, 2, 0))
        draw_sample(
            visualizer,
            image,
            data['data_samples'],
            path_within(args.out_dir, f'{args.split}_{index:06d}.png'),
            draw_pred=False,
        )
        progress.update()
    print(f'\nPictures: {osp.abspath(args.out_dir)}')


if __name__ == '__main__':
    main()
