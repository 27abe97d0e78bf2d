"""What the train and test commands share."""

import argparse
import os
import os.path as osp

from mmengine.config import Config

from mmvit.checkpoints import trust_checkpoint
from mmvit.engine.guards.config_keys import check_top_level, unread_options

from .config import check_model, load_config, parse_cfg_options


def load_launch_config(args: argparse.Namespace) -> Config:
    """Load a command's config and put the command's arguments into it."""
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    options = parse_cfg_options(args.cfg_options or [])
    cfg = load_config(args.config, options)
    check_model(cfg)
    cfg.launcher = args.launcher
    for path in args.trust_checkpoint:
        trust_checkpoint(path)
    name = osp.splitext(osp.basename(args.config))[0]
    work_dir = args.work_dir or cfg.get('work_dir')
    cfg.work_dir = work_dir or osp.join('work_dirs', name)
    cfg.experiment_name = cfg.get('experiment_name') or name
    if args.compile:
        # Other options of the config's key stay.
        given = cfg.get('compile')
        cfg.compile = given if isinstance(given, dict) else {}
        cfg.compile.scope = args.compile
    cfg.setdefault('runner_type', 'mmvit.GuardedRunner')
    if cfg.runner_type == 'mmvit.GuardedRunner':
        check_top_level(unread_options(options))
    return cfg
