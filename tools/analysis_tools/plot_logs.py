"""Draw what trainings have logged: losses, learning rates, metrics.

Each key gets a panel of the picture, with a curve for each training. Losses
and learning rates are drawn over the iterations, and metrics of the validation
over the epochs or iterations after which it ran, as in Figure 5 of PVT. Reads
the logs that each training leaves in its work dir, those of a resumed training
included.
"""

import argparse
import json
import os.path as osp
from pathlib import Path

from mmvit.apis.command_line import CommandLine

EXAMPLES = """
  python tools/analysis_tools/plot_logs.py \\
      work_dirs/retinanet_pvt-s_fpn_1x_coco --out curves.png
  python tools/analysis_tools/plot_logs.py \\
      work_dirs/retinanet_pvt-s_fpn_1x_coco \\
      work_dirs/retinanet_pvt-s_fpn_scratch-1x_coco \\
      --names 'pre-trained' 'from scratch' --keys coco/bbox_mAP loss \\
      --out curves.png
"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_argument(
        'runs',
        type=Path,
        nargs='+',
        metavar='RUN',
        help="work dirs of trainings, or mmengine's files scalars.json",
    )
    parser.add_argument(
        '--keys',
        nargs='+',
        metavar='KEY',
        help='what to draw, as the log names it, such as loss, lr, mIoU, '
        'coco/bbox_mAP, accuracy/top1 (default: loss, lr, and a metric that '
        'all runs have)',
    )
    parser.add_argument(
        '--names',
        nargs='+',
        metavar='NAME',
        help="the runs' names in the picture (default: those of the folders)",
    )
    parser.add_output(required=True)
    parser.add_shared('--json')
    args = parser.parse_args(argv)
    parser.check_one_each(args, 'names', 'runs')
    if not args.names:
        args.names = [osp.basename(osp.abspath(run)) for run in args.runs]
    return args


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

from typing import NamedTuple

from mmvit.visualization.figures import Panel, draw_curves, save_figure

Curve = dict[int, float]  # the value by epoch or iteration
COUNTERS = ('epoch', 'iter', 'step')
DURATIONS = ('data_time', 'time')  # every line has them
MAIN = ('coco/bbox_mAP', 'mIoU', 'accuracy/top1')  # the tasks' metrics


class Log(NamedTuple):
    """What a run has logged: a curve for each key, and what `val` counts."""

    train: dict[str, Curve]
    val: dict[str, Curve]
    val_unit: str

    def curve(self, key: str) -> tuple[Curve, str]:
        """Return a key's curve and what its steps count; empty if unknown."""
        if key in self.train:
            return self.train[key], 'iteration'
        return self.val.get(key, {}), self.val_unit


def log_files(run: Path) -> list[Path]:
    """Find the logs of a run, oldest first.

    Raises:
        SystemExit: If there is none.
    """
    if run.is_file():
        return [run]
    # The folders are named by the time of each start.
    files = sorted(run.glob('*/vis_data/scalars.json'))
    if not files:
        raise SystemExit(
            f'{run} has no */vis_data/scalars.json: give the work dir of a '
            'training, or a scalars.json'
        )
    return files


def read_run(run: Path) -> Log:
    """Read what a run has logged.

    A line of training has `iter`, and `epoch` where epochs are counted; one
    of a validation has neither, and its `step` counts epochs or iterations.
    What both have, such as a loss of the validation, gets `val/` before it
    there.
    """
    train: dict[str, Curve] = {}
    val: dict[str, Curve] = {}
    last = dict(epoch=0, iter=0)
    for file in log_files(run):
        for text in file.read_text(encoding='utf-8').splitlines():
            try:
                line = json.loads(text)
            except ValueError as error:
                raise SystemExit(
                    f'{file} is no log of a training: write the work dir, or '
                    'a JSON file of vis_data'
                ) from error
            curves, skipped = val, COUNTERS + DURATIONS
            if 'iter' in line or 'epoch' in line:
                last = {key: line.get(key, 0) for key in last}
                curves, skipped = train, COUNTERS
            for key, value in line.items():
                if key not in skipped and isinstance(value, (int, float)):
                    curves.setdefault(key, {})[line['step']] = value
    final = max((step for c in val.values() for step in c), default=0)
    by_epoch = 0 < last['epoch'] < last['iter'] and final <= last['epoch']
    val = {f'val/{k}' if k in train else k: c for k, c in val.items()}
    return Log(train, val, 'epoch' if by_epoch else 'iteration')


def default_keys(logs: list[Log]) -> list[str]:
    """Choose what to draw: loss, lr, and a metric that all runs have."""
    known = [*MAIN, *logs[0].val]
    metrics = [key for key in known if all(key in log.val for log in logs)]
    common = [
        key for key in ('loss', 'lr') if all(key in log.train for log in logs)
    ]
    return common + metrics[:1]


def choose(logs: dict[str, Log], keys: list[str] | None) -> list[Panel]:
    """Find the curves of the keys, or of those that `default_keys` chooses.

    Raises:
        SystemExit: If a run does not have a key, or counts something else.
    """
    panels = []
    for key in keys or default_keys(list(logs.values())):
        found = {name: log.curve(key) for name, log in logs.items()}
        for name, (curve, _) in found.items():
            if not curve:
                has = [*logs[name].train, *logs[name].val]
                raise SystemExit(
                    f'{name} has logged no {key}; it has: '
                    f'{", ".join(has) or "nothing yet"}'
                )
        units = {unit for _, unit in found.values()}
        if len(units) > 1:
            raise SystemExit(
                f'{key}: some runs count epochs and others iterations: draw '
                'them apart'
            )
        curves = {name: curve for name, (curve, _) in found.items()}
        panels.append(Panel(units.pop(), key, curves))
    if not panels:
        raise SystemExit('the runs have no key in common: draw them apart')
    return panels


def as_table(panel: Panel) -> str:
    """Format the last, the lowest and the highest value of each run."""
    unit = panel.xlabel
    width = max(map(len, panel.curves))
    lines = [f'{panel.ylabel}:']
    for name, curve in panel.curves.items():
        last = max(curve)
        low, high = min(curve, key=curve.get), max(curve, key=curve.get)
        lines.append(
            f'  {name:{width}}  {curve[last]:.4g} after {unit} {last}, from '
            f'{curve[low]:.4g} ({unit} {low}) to {curve[high]:.4g} ({unit} '
            f'{high})'
        )
    return '\n'.join(lines)


def main(argv: list[str] | None = None) -> None:
    """Draw; see --help."""
    args = parse_args(argv)
    logs = dict(zip(args.names, map(read_run, args.runs)))
    panels = choose(logs, args.keys)
    save_figure(draw_curves(panels), args.out)
    if args.json:
        found = {
            panel.ylabel: dict(unit=panel.xlabel, curves=panel.curves)
            for panel in panels
        }
        print(json.dumps(found))
        return
    for panel in panels:
        print(as_table(panel))
    print(f'Picture: {osp.abspath(args.out)}')


if __name__ == '__main__':
    main()
