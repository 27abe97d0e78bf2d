"""Train a model of any task."""

import argparse

from mmvit.apis.command_line import (
    CommandLine,
    checkpoint_path,
    exit_on_sigterm,
)

EXAMPLES = """
  python tools/train.py configs/pvt/retinanet_pvt-t_fpn_1x_coco.py
  python tools/train.py CONFIG --resume
  python tools/train.py CONFIG --auto-scale-lr --cfg-options \\
      train_dataloader.batch_size=4
  bash tools/dist_train.sh CONFIG 8
"""


def resume_from(text: str) -> str:
    """Return 'auto', or the path of the checkpoint to resume from."""
    return text if text == 'auto' else checkpoint_path(text)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_shared('config', '--work-dir', '--cfg-options')
    parser.add_argument(
        '--resume',
        type=resume_from,
        nargs='?',
        const=True,
        metavar='auto|FILE',
        help='continue from the newest checkpoint of the work dir; with '
        '"auto", start from the beginning if there is none; with FILE, '
        'continue from that checkpoint',
    )
    parser.add_argument(
        '--amp',
        action='store_true',
        help='train in mixed precision with bfloat16, or with the dtype of '
        "the config's optim_wrapper; needs a GPU",
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='multiply the learning rate by the total batch size over '
        'auto_scale_lr.base_batch_size of the config',
    )
    parser.add_shared('--compile', '--trust-checkpoint')
    parser.add_shared('--launcher', '--local-rank')
    return parser.parse_args(argv)


if __name__ == '__main__':
    exit_on_sigterm()
    parse_args()  # --help and mistakes end here, before the slow imports

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import RUNNERS

from mmvit.apis.launch import load_launch_config
from mmvit.checkpoints import guard_loading
from mmvit.utils.types import type_name


def set_resume(cfg: Config, resume: str | bool) -> None:
    """Put the argument --resume into a config."""
    cfg.resume = 'auto' if resume == 'auto' else True
    if resume is True:
        cfg.load_from = None
    elif resume != 'auto':
        cfg.load_from = resume


def enable_amp(cfg: Config) -> None:
    """Let a config train in mixed precision.

    Raises:
        SystemExit: If there is no GPU, or the config has an optimizer wrapper
            of its own kind.
    """
    if get_device() == 'cpu':
        raise SystemExit(
            '--amp needs a GPU, and none is visible: leave it out to train on '
            'the CPU'
        )
    wrapper = cfg.optim_wrapper
    kind = type_name(wrapper) or 'OptimWrapper'
    if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise SystemExit(
            f'--amp replaces an OptimWrapper, and the config has a {kind}'
        )
    wrapper.type = 'AmpOptimWrapper'
    # float16 overflows in the attention of vision transformers.
    wrapper.setdefault('dtype', 'bfloat16')


def enable_lr_scaling(cfg: Config) -> None:
    """Let a config scale its learning rate with the batch size.

    Raises:
        SystemExit: If the config does not tell its own batch size.
    """
    if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
        raise SystemExit(
            '--auto-scale-lr needs auto_scale_lr = dict(base_batch_size=...) '
            'in the config: the total batch size that its learning rate was '
            'chosen for'
        )
    cfg.auto_scale_lr.enable = True


def main(argv: list[str] | None = None) -> None:
    """Train; see --help."""
    args = parse_args(argv)
    cfg = load_launch_config(args)
    if args.resume is not None:
        set_resume(cfg, args.resume)
    if args.amp:
        enable_amp(cfg)
    if args.auto_scale_lr:
        enable_lr_scaling(cfg)
    with guard_loading():
        RUNNERS.build(cfg).train()


if __name__ == '__main__':
    main()
