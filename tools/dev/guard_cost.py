"""Measure what the guards cost: iterations per second with and without them.

A config is trained by mmvit.GuardedRunner and by mmengine's Runner in turn, in
one process, so that the noise of a busy machine affects both alike. The time
includes loading, hooks, steps and a checkpoint in the middle, but not the
warm-up. A ratio of 1 means no cost.
"""

import argparse
import json
import logging
import statistics
import sys
import tempfile
import time
from pathlib import Path

from mmvit.apis.command_line import CommandLine, at_least

EXAMPLES = """
  python tools/dev/guard_cost.py \\
      configs/quickstart/fpn_pvt-nano_1xb8_digit-scenes-128x128.py
"""
KINDS = ('mmvit.GuardedRunner', 'Runner')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_shared('config')
    for name, default, meaning in (
        ('iters', 40, 'number of iterations of each training'),
        ('warmup', 5, 'number of first iterations that are not timed'),
        ('rounds', 7, 'number of times that each runner trains'),
    ):
        parser.add_argument(
            f'--{name}',
            type=at_least(1),
            default=default,
            metavar='N',
            help=f'{meaning} (default: {default})',
        )
    parser.add_argument(
        '--threads',
        type=at_least(1),
        metavar='N',
        help="number of CPU threads (default: torch's, one for each core)",
    )
    parser.add_shared('--json', '--cfg-options')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import mmengine.runner.runner
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.registry import HOOKS, RUNNERS
from mmengine.runner import Runner

from mmvit.apis.config import load_config


@HOOKS.register_module()
class Clock(Hook):
    """Measures the time from one iteration to the last.

    Args:
        warmup: Iterations before that.
    """

    priority = 'LOWEST'

    def __init__(self, warmup: int) -> None:
        self.warmup = warmup
        self.begin = self.end = 0.0

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: object = None,  # noqa: ARG002
        outputs: object = None,  # noqa: ARG002
    ) -> None:
        """Look at the clock in the first and in the last iteration."""
        if batch_idx + 1 in (self.warmup, runner.max_iters):
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            now = time.perf_counter()
            if batch_idx + 1 == self.warmup:
                self.begin = now
            self.end = now


def short_run(cfg: Config, args: argparse.Namespace, folder: str) -> Config:
    """Change a config to a few iterations without a validation."""
    for key in ('val', 'test'):
        for part in ('cfg', 'dataloader', 'evaluator'):
            cfg[f'{key}_{part}'] = None
    cfg.train_cfg = dict(by_epoch=False, max_iters=args.iters)
    cfg.param_scheduler = None
    loader = cfg.train_dataloader
    loader.sampler = dict(type='InfiniteSampler', shuffle=True)
    if not loader.get('num_workers'):
        loader.persistent_workers = False
    cfg.setdefault('default_hooks', {})['checkpoint'] = dict(
        type='CheckpointHook',
        by_epoch=False,
        interval=args.iters // 2,
        save_last=False,
        max_keep_ckpts=1,
    )
    cfg.default_hooks.pop('visualization', None)
    cfg.log_processor = dict(by_epoch=False)
    cfg.work_dir = folder
    cfg.randomness = dict(seed=0)
    cfg.log_level = 'ERROR'
    return cfg


def iterations_per_second(
    cfg: Config, kind: str, number: int, args: argparse.Namespace
) -> float:
    """Train once."""
    cfg = short_run(cfg.copy(), args, f'{cfg.work_dir}/{number}')
    cfg.runner_type = kind
    cfg.experiment_name = f'{kind}-{number}'
    cfg.custom_hooks = [
        *(cfg.get('custom_hooks') or []),
        dict(type='mmengine.Clock', warmup=args.warmup),
    ]
    runner = RUNNERS.build(cfg)
    (clock,) = (hook for hook in runner.hooks if isinstance(hook, Clock))
    runner.train()
    for logger in MMLogger._instance_dict.values():
        for handler in tuple(logger.handlers):
            logger.removeHandler(handler)
            handler.close()
    return (args.iters - args.warmup) / (clock.end - clock.begin)


def main(argv: list[str] | None = None) -> int:
    """Measure; see --help."""
    args = parse_args(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    logging.getLogger('mmengine').setLevel(logging.ERROR)
    mmengine.runner.runner.collect_env = dict
    cfg = load_config(args.config, args.cfg_options)
    speeds = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        cfg.work_dir = str(Path(folder))
        number = 0
        for index in range(args.rounds + 1):
            for kind in KINDS if index % 2 else KINDS[::-1]:
                number += 1
                speed = iterations_per_second(cfg, kind, number, args)
                if index:  # the first round warms up
                    speeds[kind].append(speed)
                print(f'{kind}: {speed:.2f} it/s', file=sys.stderr)
    guarded, plain = speeds.values()
    ratios = [a / b for a, b in zip(guarded, plain)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    found = dict(
        config=args.config,
        threads=torch.get_num_threads(),
        guarded=statistics.median(guarded),
        plain=statistics.median(plain),
        ratio=middle,
        quartiles=[low, high],
    )
    if args.json:
        print(json.dumps(found))
    else:
        print(
            f'{found["guarded"]:.2f} it/s guarded, {found["plain"]:.2f} it/s '
            f'plain: {middle:.3f}x (quartiles {low:.3f} to {high:.3f}, '
            f'{args.rounds} rounds of {args.iters} iterations in turn, '
            f'{found["threads"]} threads)'
        )
    return 0


if __name__ == '__main__':
    sys.exit(main())
