"""Measure what the guards cost: CPU time with and without them.

Two trainings of a config, by mmvit.GuardedRunner and by mmengine's Runner, are
in one process and take turns: a block of iterations each. So other work of the
machine affects both alike. A block includes loading, which is done in the same
process, hooks, steps, and four times in a training a checkpoint. The CPU time
is that of all threads. The result is how much more of it the guards take in
total, with two standard errors and the quartiles over the pairs of blocks.
"""

import argparse
import json
import logging
import statistics
import sys
import tempfile
import time

from mmvit.apis.command_line import CommandLine

EXAMPLES = """
  python tools/dev/guard_cost.py \\
      configs/quickstart/fpn_pvt-nano_1xb8_digit-scenes-128x128.py
"""
KINDS = ('mmvit.GuardedRunner', 'Runner')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_shared('config')
    parser.add_number('--block', 2, 'number of iterations of a block')
    parser.add_number('--rounds', 100, 'number of blocks of each training')
    parser.add_shared('--threads', '--json', '--cfg-options')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import mmengine.runner.runner
import torch
from mmengine.config import Config
from mmengine.registry import LOOPS, RUNNERS
from mmengine.runner import IterBasedTrainLoop

from mmvit.apis.config import load_config


@LOOPS.register_module()
class BlockLoop(IterBasedTrainLoop):
    """Trains a block of iterations each time that it is asked to."""

    def run(self) -> None:
        """Begin the training; `block` goes on with it."""
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')

    def block(self, iters: int) -> float:
        """Train some iterations; returns their CPU time in seconds."""
        begin = time.process_time()
        self.runner.model.train()
        for _ in range(iters):
            self.run_iter(next(self.dataloader_iterator))
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.process_time() - begin


def begin(cfg: Config, kind: str, args: argparse.Namespace) -> BlockLoop:
    """Begin a training without a validation, in this process alone."""
    cfg = cfg.copy()
    for key in ('val', 'test'):
        for part in ('cfg', 'dataloader', 'evaluator'):
            cfg[f'{key}_{part}'] = None
    iters = args.block * (args.rounds + 1)
    cfg.train_cfg = dict(type='mmengine.BlockLoop', max_iters=iters)
    cfg.param_scheduler = None
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.train_dataloader.pop('prefetch_factor', None)
    cfg.train_dataloader.sampler = dict(type='InfiniteSampler', shuffle=True)
    cfg.setdefault('default_hooks', {})['checkpoint'] = dict(
        type='CheckpointHook',
        by_epoch=False,
        interval=max(iters // 4, 1),
        max_keep_ckpts=1,
    )
    cfg.default_hooks.pop('visualization', None)
    cfg.log_processor = dict(by_epoch=False)
    cfg.work_dir = f'{cfg.work_dir}/{kind}'
    cfg.randomness = dict(seed=0)
    cfg.log_level = 'ERROR'
    cfg.runner_type = cfg.experiment_name = kind
    runner = RUNNERS.build(cfg)
    runner.train()
    return runner.train_loop


def main(argv: list[str] | None = None) -> int:
    """Measure; see --help."""
    args = parse_args(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    logging.getLogger('mmengine').setLevel(logging.ERROR)
    mmengine.runner.runner.collect_env = dict
    cfg = load_config(args.config, args.cfg_options)
    seconds = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        cfg.work_dir = folder
        loops = {kind: begin(cfg, kind, args) for kind in KINDS}
        for index in range(args.rounds + 1):
            for kind in KINDS if index % 2 else KINDS[::-1]:
                taken = loops[kind].block(args.block)
                if index:  # the first round warms up
                    seconds[kind].append(taken)
                print(f'{kind}: {taken:.2f} s', file=sys.stderr)
    guarded, plain = seconds.values()
    costs = [100 * (a / b - 1) for a, b in zip(guarded, plain)]
    low, middle, high = statistics.quantiles(costs, n=4)
    found = dict(
        config=args.config,
        threads=torch.get_num_threads(),
        guarded=sum(guarded),
        plain=sum(plain),
        percent=100 * (sum(guarded) / sum(plain) - 1),
        two_errors=2 * statistics.stdev(costs) / len(costs) ** 0.5,
        median=middle,
        quartiles=[low, high],
    )
    if args.json:
        print(json.dumps(found))
    else:
        print(
            f'{found["guarded"]:.1f} s of CPU time guarded, '
            f'{found["plain"]:.1f} s plain: {found["percent"]:+.2f} +- '
            f'{found["two_errors"]:.2f} % (median {middle:+.2f} %, '
            f'quartiles {low:+.2f} to {high:+.2f} %, '
            f'{args.rounds} blocks of {args.block} iterations in turn, '
            f'{found["threads"]} threads)'
        )
    return 0


if __name__ == '__main__':
    sys.exit(main())
