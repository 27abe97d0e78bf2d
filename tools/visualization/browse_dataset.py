"""Draw what a model is trained on: images and truth, after the pipeline."""

import argparse
import os.path as osp

import numpy as np
from mmengine.registry import DATASETS, init_default_scope
from mmengine.utils import ProgressBar, mkdir_or_exist

from mmvit.apis.config import load_config
from mmvit.apis.launch import add_cfg_options
from mmvit.engine.data_checks import check_categories, check_paths
from mmvit.engine.sampling import seed_all
from mmvit.visualization.drawing import build_visualizer, draw_sample

EXAMPLE = """example:
  python tools/visualization/browse_dataset.py CONFIG --out-dir browse \\
      --number 20
"""


def main(argv: list[str] | None = None) -> None:
    """Draw; see --help."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='config file, of any task')
    parser.add_argument('--out-dir', required=True, help='folder to write to')
    parser.add_argument(
        '--split', choices=['train', 'val', 'test'], default='train'
    )
    parser.add_argument(
        '--number', type=int, default=20, help='how many (default: 20)'
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='seed of the augmentation'
    )
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    key = f'{args.split}_dataloader'
    check_paths(key, cfg[key])
    check_categories(cfg[key].dataset)
    dataset = DATASETS.build(cfg[key].dataset)
    visualizer = build_visualizer(cfg, dataset.metainfo)
    mkdir_or_exist(args.out_dir)
    number = min(args.number, len(dataset))
    progress = ProgressBar(number)
    chosen = np.linspace(0, len(dataset) - 1, number).round().astype(int)
    for index in chosen.tolist():
        seed_all(args.seed + index)
        data = dataset[index]
        # (3, H, W) BGR -> (H, W, 3) RGB
        image = data['inputs'].numpy().transpose(1, 2, 0)[..., ::-1]
        draw_sample(
            visualizer,
            image,
            data['data_samples'],
            osp.join(args.out_dir, f'{args.split}_{index:06d}.png'),
            draw_pred=False,
        )
        progress.update()
    print(f'\nPictures: {osp.abspath(args.out_dir)}')


if __name__ == '__main__':
    main()
