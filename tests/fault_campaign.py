"""Kill real trainings of all tasks and see whether anything is lost.

Small models of each library are trained by tools/train.py, in one process
and in two, without a seed and with a warm-up, a plateau schedule, early
stopping, a best checkpoint, averaged weights and accumulated gradients. Each
training is killed with SIGKILL and resumed up to six times: at one of its
file operations, at a random moment, and so on. What it ends with is compared,
bit for bit, with a training that nobody disturbed: weights,
averages, optimizer, schedules, random states, early stopping, and the best
checkpoint with its score. So are the names of the files that are left.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from mmengine.config import Config

from mmvit.apis.command_line import CommandLine, at_least
from mmvit.checkpoints import safe_load
from mmvit.engine.guards.checkpoints import AtomicBackend, newest_checkpoint
from tests.support.helpers import load_tool
from tests.support.processes import free_port, prepare
from tests.support.scenes import write_scenes
from tests.support.small_runs import same
from tests.support.tiny import METRIC, TASKS, tiny_config, write_config

EXAMPLES = """
  python -m tests.fault_campaign
  python -m tests.fault_campaign --kills 6 --tasks seg --processes 2
"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_argument(
        '--kills',
        type=at_least(1),
        default=300,
        metavar='N',
        help='number of kills (default: 300)',
    )
    parser.add_argument(
        '--tasks',
        nargs='+',
        choices=TASKS,
        default=TASKS,
        help='(default: all)',
    )
    parser.add_argument(
        '--processes',
        nargs='+',
        type=int,
        choices=(1, 2),
        default=(1, 2),
        help='numbers of processes of a training (default: 1 and 2)',
    )
    parser.add_shared('--seed')
    parser.add_argument(
        '--folder',
        type=Path,
        metavar='DIR',
        help='folder for the runs, where those that failed are kept (default: '
        'a new folder for temporary files)',
    )
    parser.add_shared('--json')
    return parser.parse_args(argv)


# How often a training is killed, unless it ends before
KILLS = 6


@dataclass(frozen=True)
class Kind:
    """A kind of training."""

    task: str
    processes: int

    def __str__(self) -> str:
        return f'{self.task} in {self.processes} processes'

    def config(self, root: Path) -> Config:
        """Make its config, on the scenes in a folder."""
        by_epoch = self.task == 'cls'
        cfg = tiny_config(self.task, root)
        metric = METRIC[self.task]
        hooks = cfg.default_hooks
        hooks.checkpoint.update(
            interval=1 if by_epoch else 3,
            max_keep_ckpts=1,
            save_best=metric,
            rule='greater',
        )
        cfg.merge_from_dict(
            dict(
                optim_wrapper=dict(
                    accumulative_counts=2, clip_grad=dict(max_norm=1.0)
                ),
                randomness=dict(seed=None),
            )
        )
        cfg.param_scheduler = [
            dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=4),
            dict(
                type='ReduceOnPlateauLR',
                monitor=metric,
                rule='greater',
                factor=0.5,
                patience=0,
            ),
        ]
        stop = dict(monitor=metric, rule='greater', patience=3)
        cfg.custom_hooks = [
            dict(type='EMAHook', momentum=0.1),
            dict(type='EarlyStoppingHook', **stop),
        ]
        if by_epoch:
            cfg.train_cfg.max_epochs = 6
            # Three iterations an epoch: gradients wait across its end.
            cfg.train_dataloader.batch_size = 3 if self.processes == 1 else 2
            cfg.train_dataloader.num_workers = 2 if self.processes == 1 else 0
        else:
            cfg.train_cfg.max_iters = 10
            cfg.train_dataloader.batch_size = 2
        return cfg


class FileOperations:
    """Counts what a process does to files, and ends it at one of them.

    Args:
        folder: The folder that is watched.
        last: The number of the operation that is not done any more, 0 for
            none.
    """

    def __init__(self, folder: Path, last: int) -> None:
        self.folder, self.last = str(folder), last
        self.names: list[str] = []

    def watch(self) -> None:
        """Begin, for as long as the process lives."""
        sys.addaudithook(self._see)
        fsync = os.fsync

        def seen_fsync(number: int) -> None:
            self._count('fsync', os.readlink(f'/proc/self/fd/{number}'))
            fsync(number)

        def write(_: AtomicBackend, obj: bytes, unfinished: str) -> None:
            with open(unfinished, 'wb') as file:
                file.write(obj[: len(obj) // 2])
                file.flush()
                self._count('write', unfinished)
                file.write(obj[len(obj) // 2 :])
                file.flush()
                os.fsync(file.fileno())

        os.fsync, AtomicBackend.write = seen_fsync, write

    def _see(self, event: str, args: tuple) -> None:
        if event == 'open' and isinstance(args[0], str):
            if args[2] & (os.O_WRONLY | os.O_RDWR):
                self._count(event, args[0])
        elif event in ('os.rename', 'os.remove', 'os.mkdir'):
            self._count(event, str(args[0]))

    def _count(self, event: str, path: str) -> None:
        if path.startswith(self.folder):
            self.names.append(f'{event} {path[len(self.folder) :]}')
            if len(self.names) == self.last:
                os.killpg(0, signal.SIGKILL)


def train(
    config: str, work_dir: Path, processes: int, last: int, draw: int
) -> None:
    """Train, or go on with it; the target of a process of its own.

    Args:
        config: The config's file.
        work_dir: The run's folder.
        processes: How many train together.
        last: See `FileOperations`.
        draw: Seeds what draws the seed of a run that has none.
    """
    os.setsid()  # so that a kill takes all processes along
    work_dir.mkdir(parents=True, exist_ok=True)
    with open(work_dir.with_suffix('.txt'), 'a') as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    args = [config, '--work-dir', str(work_dir), '--resume', 'auto']
    os.environ['LOCAL_RANK'] = '0'
    child = None
    if processes > 1:
        port = str(free_port())
        os.environ.update(
            WORLD_SIZE='2', MASTER_ADDR='localhost', MASTER_PORT=port
        )
        child = os.fork()
        os.environ['RANK'] = os.environ['LOCAL_RANK'] = str(int(not child))
        args += ['--launcher', 'pytorch']
    np.random.seed(draw)
    operations = FileOperations(work_dir, last)
    if child != 0:
        operations.watch()
    try:
        load_tool('train').main(args)
    finally:
        if child == 0:
            sys.stdout.flush()
            os._exit(int(sys.exc_info()[0] is not None))
    if child and os.waitpid(child, 0)[1]:
        raise RuntimeError('the second process has failed')
    names = json.dumps(operations.names)
    work_dir.with_suffix('.json').write_text(names)


def final(work_dir: Path) -> dict:
    """Everything that a training ends with."""
    content = safe_load(newest_checkpoint(str(work_dir)))
    info = content['message_hub']['runtime_info']
    best = Path(info['best_ckpt'])
    found = {
        key: content[key]
        for key in (
            *('state_dict', 'ema_state_dict', 'optimizer'),
            'param_schedulers',
        )
    }
    keys = ('epoch', 'iter', 'seed', 'validated', 'run')
    found.update(
        meta={key: content['meta'][key] for key in keys},
        best=(info['best_score'], best.name),
        best_weights=safe_load(str(work_dir / best.name))['state_dict'],
        files=sorted(path.name for path in work_dir.glob('*.pth*')),
    )
    return found


@dataclass
class Row:
    """Counts of a kind of training."""

    kind: str
    operations: int = 0
    trainings: int = 0
    kills: int = 0
    resumed: int = 0
    equal: int = 0
    lost: list[str] = field(default_factory=list)


class Campaign:
    """Trains, kills, resumes and compares.

    Args:
        folder: Where the runs are.
        seed: Of the moments.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder.resolve()
        self.rng = random.Random(seed)
        self.context = multiprocessing.get_context('fork')
        self.root = write_scenes(self.folder / 'scenes')
        self.expected: dict[Kind, dict] = {}
        self.operations: dict[Kind, list[int]] = {}
        self.seconds: dict[Kind, float] = {}
        self.turn = 0  # number of kills at operations so far

    def live(
        self, kind: Kind, name: str, last: int = 0, seconds: float = 600
    ) -> int:
        """Train until the end, an operation or a time; returns the exit."""
        work_dir = self.folder / name
        fresh = newest_checkpoint(str(work_dir)) is None
        # Another seed would be drawn by a run that has a checkpoint.
        draw = 0 if fresh else self.rng.randrange(1, 2**31)
        config = self.folder / f'{kind.task}-{kind.processes}.py'
        if not config.exists():
            write_config(kind.config(self.root), config)
        process = self.context.Process(
            target=train,
            args=(str(config), work_dir, kind.processes, last, draw),
        )
        process.start()
        process.join(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.join()
        return process.exitcode

    def undisturbed(self, kind: Kind) -> Row:
        """Train without a kill, and keep the result."""
        name = f'whole-{kind.task}-{kind.processes}'
        begin = time.monotonic()
        if self.live(kind, name):
            text = (self.folder / f'{name}.txt').read_text()
            raise RuntimeError(text[-3000:])
        self.seconds[kind] = time.monotonic() - begin
        self.expected[kind] = final(self.folder / name)
        names = json.loads((self.folder / f'{name}.json').read_text())
        # What belongs to checkpoints, and some of what is logged
        matter = re.compile(r'\.pth|last_checkpoint|\.lock')
        self.operations[kind] = [
            number
            for number, operation in enumerate(names, 1)
            if matter.search(operation) or number % 10 == 0
        ]
        self.rng.shuffle(self.operations[kind])
        return Row(str(kind), len(self.operations[kind]))

    def run(self, kind: Kind, row: Row) -> None:
        """Kill one training some times, resume it, and compare."""
        name = f'run-{kind.task}-{kind.processes}-{row.trainings}'
        work_dir = self.folder / name
        operations = self.operations[kind]
        ends, kept, ended = [], True, False
        row.trainings += 1
        for number in range(KILLS):
            if number % 2:
                # Resumed ones are shorter.
                moment = self.rng.uniform(0.05, 0.7) * self.seconds[kind]
                ends.append(dict(seconds=moment))
            else:
                last = operations[self.turn % len(operations)]
                ends.append(dict(last=last if number == 0 else last // 2))
                self.turn += 1
            before = newest_checkpoint(str(work_dir))
            status = self.live(kind, name, **ends[-1])
            after = newest_checkpoint(str(work_dir))
            kept = kept and (before is None or after is not None)
            ended = status != -signal.SIGKILL
            if ended:
                kept = kept and status == 0
                break
            row.kills += 1
        resumed = kept if ended else self.live(kind, name) == 0
        row.resumed += resumed
        expected = self.expected[kind]
        found = final(work_dir) if resumed else {}
        differ = [k for k in expected if not same(found.get(k), expected[k])]
        row.equal += not differ
        if differ or not kept:
            row.lost.append(f'{name}: {ends}: {", ".join(differ)}')
        else:
            shutil.rmtree(work_dir)


def as_text(rows: list[Row]) -> str:
    head = (
        f'{"kind":22} trainings killed, at operations of, kills, resumed, '
        'bit-equal'
    )
    total = Row('all')
    keys = ('operations', 'trainings', 'kills', 'resumed', 'equal')
    for row in rows:
        for key in keys:
            setattr(total, key, getattr(total, key) + getattr(row, key))
        total.lost += row.lost
    lines = [
        f'{row.kind:22} {row.trainings:9} {row.operations:22} '
        f'{row.kills:6} {row.resumed:8} {row.equal:10}'
        for row in (*rows, total)
    ]
    return '\n'.join([head, *lines, f'lost: {len(total.lost)}', *total.lost])


def main(argv: list[str] | None = None) -> int:
    """Run the campaign; see --help."""
    args = parse_args(argv)
    folder = args.folder or Path(tempfile.mkdtemp(prefix='faults-'))
    prepare()
    campaign = Campaign(folder, args.seed)
    begin = time.monotonic()
    kinds = [Kind(t, n) for n in args.processes for t in args.tasks]
    rows = {kind: campaign.undisturbed(kind) for kind in kinds}
    turn = 0
    while sum(row.kills for row in rows.values()) < args.kills:
        kind = kinds[turn % len(kinds)]
        campaign.run(kind, rows[kind])
        turn += 1
        print(
            f'{time.monotonic() - begin:.0f} s: {rows[kind]}', file=sys.stderr
        )
    rows = list(rows.values())
    if args.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        print(as_text(rows))
        print(f'{time.monotonic() - begin:.0f} s; kept: {folder}')
    return int(any(row.lost for row in rows))


if __name__ == '__main__':
    sys.exit(main())
