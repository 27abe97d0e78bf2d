"""Draw a metric of the validation over the epochs of several trainings.

As Figure 5 of PVT: the AP of detectors with and without pre-trained weights,
or with different backbones, in one picture. Reads the logs that each training
leaves in its work dir, those of a resumed training included.
"""

import argparse
import json
import os
import os.path as osp
from pathlib import Path

from mmvit.apis.command_line import CommandLine, output_file

EXAMPLES = """
  python tools/analysis_tools/plot_metrics.py \\
      work_dirs/retinanet_pvt-s_fpn_1x_coco \\
      work_dirs/retinanet_pvt-s_fpn_scratch-1x_coco \\
      --names 'pre-trained' 'from scratch' --metric coco/bbox_mAP \\
      --out ap.png
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
        '--metric',
        metavar='KEY',
        help='metric, as the log names it, such as coco/bbox_mAP, mIoU, '
        'accuracy/top1 (default: the first one that all runs have)',
    )
    parser.add_argument(
        '--names',
        nargs='+',
        metavar='NAME',
        help="the runs' names in the picture (default: those of the folders)",
    )
    parser.add_argument(
        '--out',
        type=output_file('.png', '.pdf', '.svg'),
        required=True,
        metavar='FILE.png',
        help='picture to write: PNG, PDF or SVG',
    )
    parser.add_shared('--json')
    args = parser.parse_args(argv)
    if args.names and len(args.names) != len(args.runs):
        parser.error(
            f'{len(args.names)} --names for {len(args.runs)} runs: give one '
            'for each'
        )
    if not args.names:
        args.names = [osp.basename(osp.abspath(run)) for run in args.runs]
    return args


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt

Curve = dict[int, float]  # the metric by epoch or iteration
NO_METRICS = ('data_time', 'time', 'step')


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


def read_run(run: Path) -> tuple[dict[str, Curve], str]:
    """Read the metrics of all validations of a run.

    A line of training has `iter`, and `epoch` where epochs are counted; one
    of a validation has neither, and its `step` counts epochs or iterations.

    Returns:
        A curve for each metric, and what its steps count.
    """
    metrics: dict[str, Curve] = {}
    last = dict(epoch=0, iter=0)
    for file in log_files(run):
        for text in file.read_text(encoding='utf-8').splitlines():
            line = json.loads(text)
            if 'iter' in line or 'epoch' in line:
                last = {key: line.get(key, 0) for key in last}
                continue
            for key, value in line.items():
                if key not in NO_METRICS and isinstance(value, (int, float)):
                    metrics.setdefault(key, {})[line['step']] = value
    final = max((step for c in metrics.values() for step in c), default=0)
    by_epoch = 0 < last['epoch'] < last['iter'] and final <= last['epoch']
    return metrics, 'epoch' if by_epoch else 'iteration'


def choose(runs: dict[str, dict[str, Curve]], metric: str | None) -> str:
    """Find the metric to draw.

    Args:
        runs: The metrics of each run.
        metric: The metric that was asked for; None chooses the first one that
            all runs have.

    Raises:
        SystemExit: If a run does not have it.
    """
    first, *others = runs.values()
    common = [key for key in first if all(key in other for other in others)]
    if metric is None and common:
        return common[0]
    for name, found in runs.items():
        if metric not in found:
            raise SystemExit(
                f'{name} has no validation with '
                f'{metric or "a metric of the other runs"}; it has: '
                f'{", ".join(found) or "none yet"}'
            )
    return metric


def draw(curves: dict[str, Curve], unit: str, metric: str, path: str) -> None:
    """Draw the curves of some runs.

    Args:
        curves: The curve of each run.
        unit: What the steps count.
        metric: Name of the metric.
        path: Picture to write.
    """
    figure, axes = plt.subplots(figsize=(5, 3.5))
    for (name, curve), marker in zip(curves.items(), 'osD^v<>P*X' * 9):
        axes.plot(
            *zip(*sorted(curve.items())),
            marker=marker,
            markersize=4,
            label=name,
        )
    axes.set(xlabel=unit, ylabel=metric)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    os.makedirs(osp.dirname(osp.abspath(path)), exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def as_table(curves: dict[str, Curve], unit: str, metric: str) -> str:
    """Format the last and the best value of each run."""
    width = max(map(len, curves))
    lines = [f'{metric}:']
    for name, curve in curves.items():
        last = max(curve)
        best = max(curve, key=curve.get)
        lines.append(
            f'  {name:{width}}  {curve[last]:.4g} after {unit} {last}, at '
            f'most {curve[best]:.4g} after {unit} {best}'
        )
    return '\n'.join(lines)


def main(argv: list[str] | None = None) -> None:
    """Draw; see --help."""
    args = parse_args(argv)
    found = [read_run(run) for run in args.runs]
    units = {unit for _, unit in found}
    if len(units) > 1:
        raise SystemExit(
            'some runs count epochs and others iterations: draw them apart'
        )
    unit = units.pop()
    runs = dict(zip(args.names, (metrics for metrics, _ in found)))
    metric = choose(runs, args.metric)
    curves = {name: metrics[metric] for name, metrics in runs.items()}
    draw(curves, unit, metric, args.out)
    if args.json:
        print(json.dumps(dict(metric=metric, unit=unit, curves=curves)))
    else:
        print(as_table(curves, unit, metric))
        print(f'Picture: {osp.abspath(args.out)}')


if __name__ == '__main__':
    main()
