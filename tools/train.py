"""Train a model of any task."""

import argparse

from mmengine.config import Config
from mmengine.device import get_device

from mmvit.apis.launch import (
    add_launch_arguments,
    build_runner,
    load_launch_config,
)

EXAMPLE = """examples:
  python tools/train.py configs/pvt/retinanet_pvt-t_fpn_1x_coco.py
  python tools/train.py CONFIG --resume
  python tools/train.py CONFIG --auto-scale-lr --cfg-options \\
      train_dataloader.batch_size=4
  bash tools/dist_train.sh CONFIG 8
"""


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_launch_arguments(parser)
    parser.add_argument(
        '--resume',
        nargs='?',
        const=True,
        metavar='auto|FILE',
        help='continue from the newest checkpoint of the work dir; "auto" '
        'starts anew when there is none, FILE continues from that one',
    )
    parser.add_argument(
        '--amp',
        action='store_true',
        help='mixed precision (needs a GPU); bfloat16 where it has it',
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate from the batch size that the config '
        'was written for to the one in use',
    )
    return parser.parse_args(argv)


def _enable_amp(cfg: Config) -> None:
    if get_device() == 'cpu':
        raise SystemExit(
            '--amp needs a GPU, and none is visible: leave it '
            'out to train on the CPU'
        )
    wrapper = cfg.optim_wrapper
    if wrapper.get('type', 'OptimWrapper') not in (
        'OptimWrapper',
        'AmpOptimWrapper',
    ):
        raise SystemExit(
            f'--amp knows OptimWrapper, the config has {wrapper.type}'
        )
    wrapper.type = 'AmpOptimWrapper'
    # Half precision overflows in the attention of vision transformers.
    wrapper.setdefault('dtype', 'bfloat16')


def main(argv: list[str] | None = None) -> None:
    """Train; see --help."""
    args = parse_args(argv)
    cfg = load_launch_config(args)
    if args.resume is not None:
        cfg.resume = args.resume if args.resume == 'auto' else True
        if args.resume is True:
            cfg.load_from = None
        elif args.resume != 'auto':
            cfg.load_from = args.resume
    if args.amp:
        _enable_amp(cfg)
    if args.auto_scale_lr:
        if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
            raise SystemExit(
                '--auto-scale-lr needs auto_scale_lr = '
                'dict(base_batch_size=...) in the config: the total batch '
                'size that its learning rate was chosen for'
            )
        cfg.auto_scale_lr.enable = True
    build_runner(cfg).train()


if __name__ == '__main__':
    main()
