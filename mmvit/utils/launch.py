"""What the train and test commands share."""

import argparse
import os
import os.path as osp

from mmengine.config import Config, DictAction
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmvit.checkpoints import trust_checkpoint
from mmvit.engine.guards.config_keys import check_top_level, unread_options

from .config import load_config


def add_cfg_options(parser: argparse.ArgumentParser) -> None:
    """Add the argument that sets keys of the config."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='keys of the config to set, as in '
        'model.backbone.arch=tiny train_dataloader.batch_size=4',
    )


def add_launch_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that the train and test commands have in common."""
    parser.add_argument('config', help='config file, of any task')
    parser.add_argument(
        '--work-dir',
        help='folder for logs, checkpoints and pictures; default: '
        'work_dirs/<name of the config>',
    )
    add_cfg_options(parser)
    parser.add_argument(
        '--trust-checkpoint',
        action='append',
        default=[],
        metavar='FILE',
        help='let this file execute code while it is loaded: for old '
        'checkpoints of your own that hold more than tensors',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how the processes were started (dist_train.sh and '
        'slurm_train.sh set it)',
    )
    # torchrun of old sets --local-rank, the environment is what counts.
    parser.add_argument(
        '--local_rank',
        '--local-rank',
        type=int,
        default=0,
        help=argparse.SUPPRESS,
    )


def load_launch_config(args: argparse.Namespace) -> Config:
    """Load the config that a command was given, with its options merged."""
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = load_config(args.config, args.cfg_options)
    cfg.launcher = args.launcher
    for path in args.trust_checkpoint:
        trust_checkpoint(path)
    name = osp.splitext(osp.basename(args.config))[0]
    if args.work_dir:
        cfg.work_dir = args.work_dir
    elif not cfg.get('work_dir'):
        cfg.work_dir = osp.join('work_dirs', name)
    if not cfg.get('experiment_name'):
        cfg.experiment_name = name
    cfg.setdefault('runner_type', 'mmvit.GuardedRunner')
    if cfg.runner_type == 'mmvit.GuardedRunner':
        check_top_level(unread_options(args.cfg_options or {}))
    return cfg


def build_runner(cfg: Config) -> Runner:
    """Build the runner that a config asks for; ours where it names none."""
    return RUNNERS.build(cfg)
