"""Kill small trainings at random moments and see whether anything is lost.

Each run trains a small PVT with random augmentation, dropout, drop path, EMA
and a schedule, is killed with SIGKILL, resumed with `resume='auto'` and
compared, bit for bit, with a training that nobody disturbed. A part of the
kills falls into the writing of a checkpoint, which is made slow for that.
The kinds of runs are all combinations of loops over epochs and iterations,
`max_keep_ckpts` 1 and 3, and workers that load (none, two, two persistent
ones).
"""

import argparse
import contextlib
import itertools
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from mmengine.fileio import LocalBackend

from mmvit.apis.command_line import CommandLine, at_least
from mmvit.checkpoints import safe_load
from mmvit.engine import SafeCheckpointHook
from mmvit.engine.guards.checkpoints import AtomicBackend, newest_checkpoint
from mmvit.registry import MODELS
from tests.support.small_runs import make_runner, noisy_loader, same

EXAMPLES = """
  python -m tests.fault_campaign
  python -m tests.fault_campaign --kills 6 --in-saves 2
"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_argument(
        '--kills',
        type=at_least(1),
        default=72,
        metavar='N',
        help='number of trainings to kill (default: 72)',
    )
    parser.add_argument(
        '--in-saves',
        type=at_least(0),
        default=36,
        metavar='N',
        help='number of kills during a save that is made slow (default: 36)',
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


# Seconds that each part of a save takes where it is made slow.
PAUSE = 0.03
SAVING = 'saving'


@dataclass(frozen=True)
class Kind:
    """A kind of run.

    Args:
        by_epoch: Whether its loop counts epochs or iterations.
        keep: How many checkpoints it keeps.
        workers: Number of workers that load its data.
        persistent: Whether they live longer than an epoch.
    """

    by_epoch: bool
    keep: int
    workers: int
    persistent: bool

    def __str__(self) -> str:
        loop = 'epochs' if self.by_epoch else 'iterations'
        persistent = ', persistent' if self.persistent else ''
        return (
            f'{loop:10}  keep {self.keep}  {self.workers} workers{persistent}'
        )


KINDS = [
    Kind(by_epoch, keep, workers, persistent)
    for by_epoch, keep, (workers, persistent) in itertools.product(
        (True, False), (1, 3), ((0, False), (2, False), (2, True))
    )
]


def _pause_around(holder: object, name: str, pauses: int = 2) -> None:
    function = getattr(holder, name)

    def slow(*args, **kwargs) -> object:
        time.sleep(PAUSE)
        result = function(*args, **kwargs)
        time.sleep(PAUSE * (pauses - 1))
        return result

    setattr(holder, name, slow)


def _slow_write(_: AtomicBackend, obj: bytes, unfinished: str) -> None:
    parts = np.linspace(0, len(obj), 6).astype(int)
    with open(unfinished, 'wb') as file:
        for begin, end in itertools.pairwise(parts):
            file.write(obj[begin:end])
            file.flush()
            time.sleep(PAUSE)
        os.fsync(file.fileno())


def _make_saves_slow(work_dir: Path) -> None:
    """Slow down every part of a save, and mark its time by a file."""
    AtomicBackend.write = _slow_write
    _pause_around(os, 'replace')
    _pause_around(LocalBackend, 'remove')
    save = SafeCheckpointHook._save_checkpoint_with_step

    def marked_save(self: SafeCheckpointHook, *args, **kwargs) -> None:
        (work_dir / SAVING).touch()
        save(self, *args, **kwargs)
        (work_dir / SAVING).unlink()

    SafeCheckpointHook._save_checkpoint_with_step = marked_save


def train(work_dir: Path, kind: Kind, slow: bool = False) -> None:
    """Train, or go on with it; the target of a process of its own."""
    os.setsid()  # so that a kill takes the workers along
    work_dir.mkdir(parents=True, exist_ok=True)
    with open(work_dir / 'output.txt', 'a') as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    if slow:
        _make_saves_slow(work_dir)
    loader = noisy_loader(
        kind.by_epoch,
        num_workers=kind.workers,
        persistent_workers=kind.persistent,
    )
    make_runner(
        work_dir, kind.by_epoch, kind.keep, train_dataloader=loader
    ).train()


def _wait(condition: Callable[[], bool], process: object) -> bool:
    deadline = time.monotonic() + 120
    while process.is_alive() and time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.001)
    return False


class Campaign:
    """Trains, kills, resumes and compares.

    Args:
        folder: Where the runs are.
        seed: Of the moments.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.rng = random.Random(seed)
        # Everything is imported, and nothing was computed yet.
        self.context = multiprocessing.get_context('fork')
        self.expected: dict[bool, dict] = {}
        self.seconds: dict[bool, float] = {}

    def start(self, work_dir: Path, kind: Kind, slow: bool = False) -> object:
        process = self.context.Process(
            target=train, args=(work_dir, kind, slow)
        )
        process.start()
        return process

    def final(self, work_dir: Path) -> dict:
        """Everything that a training ends with."""
        path = newest_checkpoint(str(work_dir))
        content = safe_load(path)
        return {
            key: content[key]
            for key in ('state_dict', 'ema_state_dict', 'optimizer')
        } | dict(iter=content['meta']['iter'])

    def undisturbed(self, by_epoch: bool) -> None:
        """Train without a kill, and keep the result."""
        work_dir = self.folder / f'whole-{by_epoch}'
        process = self.start(work_dir, Kind(by_epoch, 1, 0, False))
        _wait((work_dir / 'last_checkpoint').exists, process)
        begin = time.monotonic()
        process.join()
        self.seconds[by_epoch] = time.monotonic() - begin
        if process.exitcode:
            raise RuntimeError((work_dir / 'output.txt').read_text()[-3000:])
        self.expected[by_epoch] = self.final(work_dir)

    def run(self, number: int, kind: Kind, in_save: bool) -> dict:
        """Kill one training, resume it, and compare.

        Returns:
            'killed', 'in_save', 'loadable', 'resumed', 'equal': booleans.
        """
        work_dir = self.folder / f'run-{number}'
        delay = self.seconds[kind.by_epoch] * self.rng.uniform(0, 0.8)
        process = self.start(work_dir, kind, slow=in_save)
        _wait((work_dir / 'last_checkpoint').exists, process)
        if in_save:
            for _ in range(self.rng.randint(1, 3)):
                _wait(lambda: not (work_dir / SAVING).exists(), process)
                _wait((work_dir / SAVING).exists, process)
            delay = self.rng.uniform(0, 9 * PAUSE)
        time.sleep(delay)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.join()
        found = dict(
            killed=process.exitcode == -signal.SIGKILL,
            in_save=(work_dir / SAVING).exists(),
        )
        path = newest_checkpoint(str(work_dir))
        found['loadable'] = path is not None and 'optimizer' in safe_load(path)
        process = self.start(work_dir, kind)
        process.join()
        found['resumed'] = process.exitcode == 0
        found['equal'] = found['resumed'] and same(
            self.final(work_dir), self.expected[kind.by_epoch]
        )
        if found['equal']:
            shutil.rmtree(work_dir)
        return found


@dataclass
class Row:
    """Counts of a kind of run."""

    kind: str
    kills: int = 0
    in_save: int = 0
    loadable: int = 0
    resumed: int = 0
    equal: int = 0
    lost: list[int] = field(default_factory=list)

    def add(self, number: int, found: dict) -> None:
        self.kills += 1
        for key in ('in_save', 'loadable', 'resumed', 'equal'):
            setattr(self, key, getattr(self, key) + found[key])
        if not (found['loadable'] and found['equal']):
            self.lost.append(number)


def as_text(rows: list[Row]) -> str:
    head = f'{"kind":40} kills in-save loadable resumed bit-equal'
    total = Row('all')
    for row in rows:
        for key in ('kills', 'in_save', 'loadable', 'resumed', 'equal'):
            setattr(total, key, getattr(total, key) + getattr(row, key))
        total.lost += row.lost
    lines = [
        f'{row.kind:40} {row.kills:5} {row.in_save:7} {row.loadable:8} '
        f'{row.resumed:7} {row.equal:9}'
        for row in (*rows, total)
    ]
    lost = f'lost: {len(total.lost)}' + (f' {total.lost}' * bool(total.lost))
    return '\n'.join([head, *lines, lost])


def main(argv: list[str] | None = None) -> int:
    """Run the campaign; see --help."""
    args = parse_args(argv)
    folder = args.folder or Path(tempfile.mkdtemp(prefix='faults-'))
    campaign = Campaign(folder, args.seed)
    MODELS.import_from_location()  # once, before the forks
    begin = time.monotonic()
    for by_epoch in (True, False):
        campaign.undisturbed(by_epoch)
    rows = {kind: Row(str(kind)) for kind in KINDS}
    saves = args.in_saves
    for number in range(args.kills):
        kind = KINDS[number % len(KINDS)]
        # Rounds of all kinds are in saves, or anywhere, until both are done.
        in_save = saves > 0 and (
            (number // len(KINDS)) % 2 == 0 or args.kills - number <= saves
        )
        saves -= in_save
        # One that ends before its kill does not count.
        for _ in range(10):
            found = campaign.run(number, kind, in_save)
            if found['killed'] and found['in_save'] >= in_save:
                break
        rows[kind].add(number, found)
        print(f'run {number + 1}: {kind}: {found}', file=sys.stderr)
    rows = [row for row in rows.values() if row.kills]
    if args.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        print(as_text(rows))
        print(f'{time.monotonic() - begin:.0f} s; kept: {folder}')
    return int(any(row.lost for row in rows))


if __name__ == '__main__':
    sys.exit(main())
