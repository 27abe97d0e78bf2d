"""Test a model of any task: print its metrics, draw what it predicts."""

import argparse
import os.path as osp

from mmengine.config import Config

from mmvit.apis.launch import (
    add_launch_arguments,
    build_runner,
    load_launch_config,
)
from mmvit.apis.tta import enable_tta

EXAMPLE = """examples:
  python tools/test.py CONFIG work_dirs/NAME/epoch_12.pth
  python tools/test.py CONFIG CHECKPOINT --tta --out results.pkl
  python tools/test.py CONFIG CHECKPOINT --show-dir pictures
  bash tools/dist_test.sh CONFIG CHECKPOINT 8
"""


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_launch_arguments(parser)
    parser.add_argument('checkpoint', help='weights to test')
    parser.add_argument(
        '--tta',
        action='store_true',
        help="test-time augmentation: the config's, else flipping",
    )
    parser.add_argument(
        '--out', metavar='FILE.pkl', help='file for all predictions'
    )
    parser.add_argument(
        '--show-dir',
        help='folder for pictures of the predictions, beside the truth '
        'where the data set has it',
    )
    parser.add_argument(
        '--show-every',
        type=int,
        default=1,
        help='draw one image in so many (default: each)',
    )
    return parser.parse_args(argv)


def _dump(cfg: Config, path: str) -> None:
    if not path.endswith(('.pkl', '.pickle')):
        raise SystemExit(f'--out writes a pickle: end {path} with .pkl')
    evaluators = cfg.test_evaluator
    if isinstance(evaluators, dict):
        evaluators = [evaluators]
    dump = 'DumpDetResults' if cfg.default_scope == 'mmdet' else 'DumpResults'
    cfg.test_evaluator = [*evaluators, dict(type=dump, out_file_path=path)]


def main(argv: list[str] | None = None) -> None:
    """Test; see --help."""
    args = parse_args(argv)
    cfg = load_launch_config(args)
    if not osp.isfile(args.checkpoint) and '://' not in args.checkpoint:
        raise SystemExit(f'no checkpoint at {args.checkpoint}')
    cfg.load_from, cfg.resume = args.checkpoint, False
    if args.tta:
        enable_tta(cfg)
    if args.out:
        _dump(cfg, args.out)
    if args.show_dir:
        cfg.setdefault('default_hooks', {})['visualization'] = dict(
            type='mmvit.DrawHook',
            out_dir=args.show_dir,
            interval=args.show_every,
        )
    metrics = build_runner(cfg).test()
    print(f'Result of {args.checkpoint}:')
    for name, value in metrics.items():
        print(f'  {name}: {value:.4g}')
    if args.show_dir:
        print(f'Pictures: {osp.abspath(args.show_dir)}')


if __name__ == '__main__':
    main()
