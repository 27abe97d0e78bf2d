"""Test a model of any task: print its metrics, draw its predictions."""

import argparse
import contextlib
import os.path as osp

from mmvit.apis.command_line import CommandLine, output_folder

EXAMPLES = """
  python tools/test.py CONFIG work_dirs/NAME/epoch_12.pth
  python tools/test.py CONFIG CHECKPOINT --tta --out results.pkl
  python tools/test.py CONFIG CHECKPOINT --show-dir pictures
  bash tools/dist_test.sh CONFIG CHECKPOINT 8
"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_shared('config', 'checkpoint', '--work-dir', '--cfg-options')
    parser.add_argument(
        '--tta',
        action='store_true',
        help="test-time augmentation: that of the config's tta_model and "
        'tta_pipeline, or flipping if it has none',
    )
    parser.add_output(
        *('.pkl', '.pickle'),
        help='write all predictions to this file, as a pickle',
    )
    parser.add_argument(
        '--show-dir',
        type=output_folder,
        metavar='DIR',
        help='draw the predictions into this folder, beside the ground truth '
        'if the data set has it',
    )
    parser.add_number('--show-every', 1, 'draw every Nth image only')
    parser.add_shared('--compile', '--trust-checkpoint')
    parser.add_shared('--launcher', '--local-rank')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

from mmengine.config import Config
from mmengine.registry import RUNNERS

from mmvit.apis.launch import load_launch_config
from mmvit.apis.tta import enable_tta
from mmvit.checkpoints import guard_loading


def write_predictions(cfg: Config, path: str) -> None:
    """Let a config's test write its predictions to a file."""
    evaluators = cfg.test_evaluator
    if isinstance(evaluators, dict):
        evaluators = [evaluators]
    dump = 'DumpDetResults' if cfg.default_scope == 'mmdet' else 'DumpResults'
    cfg.test_evaluator = [*evaluators, dict(type=dump, out_file_path=path)]


def metric_text(value: object) -> str:
    """Write a metric's value: a number, or whatever else a metric returns."""
    with contextlib.suppress(AttributeError, RuntimeError, ValueError):
        value = value.item()  # of a tensor or an array with one number
    with contextlib.suppress(OverflowError):  # whole numbers above 1e308
        if isinstance(value, (int, float)):
            return f'{value:.4g}'
    text = str(value)
    return text if '\n' not in text else f'\n{text}'


def main(argv: list[str] | None = None) -> None:
    """Test; see --help."""
    args = parse_args(argv)
    cfg = load_launch_config(args)
    cfg.load_from, cfg.resume = args.checkpoint, False
    if args.tta:
        enable_tta(cfg)
    if args.out:
        write_predictions(cfg, args.out)
    if args.show_dir:
        cfg.setdefault('default_hooks', {})['visualization'] = dict(
            type='mmvit.DrawHook',
            out_dir=args.show_dir,
            interval=args.show_every,
        )
    with guard_loading():
        metrics = RUNNERS.build(cfg).test()
    print(f'Result of {args.checkpoint}:')
    for name, value in metrics.items():
        print(f'  {name}: {metric_text(value)}')
    if args.show_dir:
        print(f'Pictures: {osp.abspath(args.show_dir)}')


if __name__ == '__main__':
    main()
