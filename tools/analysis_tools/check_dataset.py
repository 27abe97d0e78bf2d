"""Check every file of a config's data sets before a training.

Reads each image and mask and checks the annotations: files that are missing
or cannot be read, sizes that differ, label values and boxes that are
impossible, images without any object, classes that never occur. Problems are
listed with the names of the files; the exit code is 1 if there is an error.
"""

import argparse
import math
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mmvit.apis.command_line import CommandLine, at_least

EXAMPLES = """
  python tools/analysis_tools/check_dataset.py \\
      configs/pvt/retinanet_pvt-s_fpn_1x_coco.py --splits train val
  python tools/analysis_tools/check_dataset.py CONFIG --out problems.txt
"""
SPLITS = ('train', 'val', 'test')
ERROR, NOTE = 'error', 'note'
# Steps of a pipeline that read files of their own
READERS = ('mmvit.LoadTokenLabels',)
Finding = tuple[str, str, str]  # severity, kind, text


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_shared('config')
    parser.add_argument(
        '--splits',
        nargs='+',
        choices=SPLITS,
        default=['train', 'val'],
        help="the config's data sets to check (default: train val)",
    )
    parser.add_argument(
        '--shown',
        type=at_least(0),
        default=5,
        metavar='N',
        help='number of files to print for each kind of problem (default: 5)',
    )
    parser.add_argument(
        '--out',
        type=Path,
        metavar='FILE',
        help='write all problems to this file',
    )
    parser.add_argument(
        '--threads',
        type=at_least(1),
        default=4,
        metavar='N',
        help='number of threads that read files (default: 4)',
    )
    parser.add_shared('--cfg-options', '--trust-checkpoint')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import mmcv
from mmcv.transforms import BaseTransform
from mmengine.fileio import get
from mmengine.registry import DATASETS, TRANSFORMS, init_default_scope
from mmengine.utils import ProgressBar
from torch.utils.data import Dataset

from mmvit.apis.config import innermost_dataset, load_config
from mmvit.checkpoints import guard_loading, trust_checkpoint
from mmvit.engine.guards.data_config import check_categories, check_paths
from mmvit.engine.guards.data_samples import (
    check_class_names,
    check_values,
    has_class_map,
    is_empty,
    mask_values,
    missing_files,
)


def build_dataset(cfg: dict) -> tuple[Dataset, list[BaseTransform]]:
    """Build a data set that keeps its images without objects.

    Returns:
        The data set, without its pipeline, and the steps of the pipeline that
        read other files than images and annotations.
    """
    whole = innermost_dataset(cfg)
    readers = []
    for one in whole.get('datasets', [whole]):
        one.pop('filter_cfg', None)
        steps, one['pipeline'] = one.get('pipeline') or [], []
        readers += [s for s in steps if s['type'] in READERS]
    check_categories(cfg)
    dataset = DATASETS.build(cfg)
    if hasattr(dataset, 'full_init'):
        dataset.full_init()
    check_class_names(dataset)
    return dataset, [TRANSFORMS.build(step) for step in readers]


def _box_problem(box: list, height: int, width: int) -> str | None:
    x1, y1, x2, y2 = (float(value) for value in box)
    if not all(map(math.isfinite, (x1, y1, x2, y2))):
        return 'box with a coordinate that is not a number'
    if x2 <= x1 or y2 <= y1:
        return 'box without an area'
    if x2 <= 0 or y2 <= 0 or x1 >= width or y1 >= height:
        return 'box outside of its image'
    return None


def _is_class(label: int, num_classes: int) -> bool:
    # Without names, the number of classes is not known.
    return 0 <= label < (num_classes or math.inf)


def _annotations(
    info: dict, shape: tuple[int, int], num_classes: int
) -> Iterator[Finding]:
    path = info['img_path']
    said = info.get('height'), info.get('width')
    if None not in said and said != shape:
        yield (
            ERROR,
            'size is not the one of the annotations',
            f'{path}: {shape[0]} x {shape[1]}, not {said[0]} x {said[1]}',
        )
    if is_empty(info):
        yield NOTE, 'image without an object', path
    for instance in info.get('instances') or ():
        box = instance.get('bbox')
        problem = box and _box_problem(box, *shape)
        if problem:
            yield ERROR, problem, f'{path}: {box}'
        label = instance.get('bbox_label', 0)
        if not _is_class(label, num_classes):
            yield ERROR, 'label that is no class', f'{path}: {label}'
    label = info.get('gt_label')
    if isinstance(label, int) and not _is_class(label, num_classes):
        yield ERROR, 'label that is no class', f'{path}: {label}'


def check_sample(
    dataset: Dataset,
    index: int,
    num_classes: int,
    readers: list[BaseTransform],
) -> tuple[list[Finding], list[int]]:
    """Check one sample.

    Args:
        dataset: The data set.
        index: The sample's index.
        num_classes: Number of classes; 0 if it is not known.
        readers: Transforms that read further files of a sample.

    Returns:
        The findings, and the classes that occur in the sample.
    """
    info = dataset.get_data_info(index)
    missing = missing_files(info, dataset)
    if missing:
        return [(ERROR, 'missing file', path) for path in missing], []
    found: list[Finding] = []
    classes: list[int] = []
    try:
        image = mmcv.imfrombytes(get(info['img_path']))
    except Exception:
        image = None
    if image is None:
        found.append((ERROR, 'image that cannot be read', info['img_path']))
        shape = None
    else:
        shape = image.shape[:2]
        found += _annotations(info, shape, num_classes)
    classes += [i['bbox_label'] for i in info.get('instances') or ()]
    if isinstance(info.get('gt_label'), int):
        classes.append(info['gt_label'])
    if info.get('seg_map_path'):
        try:
            values = mask_values(info)
            if has_class_map(info):
                classes += [v for v in values if v < num_classes]
                check_values(info, values, num_classes)
        except ValueError as error:
            found.append((ERROR, 'mask with wrong values', str(error)))
        except Exception:
            found.append(
                (ERROR, 'mask that cannot be read', info['seg_map_path'])
            )
    for reader in readers:
        try:
            reader(dict(img_path=info['img_path']))
        except Exception as error:
            found.append((ERROR, 'label map that cannot be used', str(error)))
    return found, classes


def check_split(
    dataset: Dataset,
    num_classes: int,
    readers: list[BaseTransform],
    threads: int,
) -> tuple[list[Finding], Counter]:
    """Check all samples of a data set, with a progress bar."""
    found: list[Finding] = []
    classes: Counter = Counter()
    bar = ProgressBar(len(dataset), file=sys.stderr)
    with ThreadPoolExecutor(threads) as pool:
        for some, labels in pool.map(
            lambda index: check_sample(dataset, index, num_classes, readers),
            range(len(dataset)),
        ):
            found += some
            classes.update(set(labels))
            bar.update()
    print(file=sys.stderr)
    return found, classes


def report(
    split: str, names: list[str], found: list[Finding], classes: Counter
) -> list[Finding]:
    """Add the findings that concern the annotations of the whole split."""
    absent = [n for index, n in enumerate(names) if not classes[index]]
    if absent and classes:
        found.append((NOTE, 'class that never occurs', ', '.join(absent)))
    kinds = [kind for _, kind, _ in found]
    if 'image without an object' in kinds and not classes:
        found.append((ERROR, 'no object at all', split))
    return found


def print_findings(found: list[Finding], shown: int) -> None:
    """Print the kinds of findings with the first files of each."""
    for (severity, kind), number in Counter(
        (severity, kind) for severity, kind, _ in found
    ).items():
        print(f'  {severity}: {number} x {kind}')
        texts = [text for _, other, text in found if other == kind]
        for text in texts[:shown]:
            print(f'    {text}')
        if number > shown:
            print(f'    and {number - shown} more')
    if not found:
        print('  nothing wrong')


def _only_writes(evaluator: dict | list | None) -> bool:
    """Whether a test only writes files for a server, which has the truth."""
    evaluators = evaluator if isinstance(evaluator, list) else [evaluator]
    return any((one or {}).get('format_only') for one in evaluators)


@guard_loading()
def main(argv: list[str] | None = None) -> int:
    """Check; see --help."""
    args = parse_args(argv)
    for path in args.trust_checkpoint:
        trust_checkpoint(path)
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    lines, errors = [], 0
    for split in args.splits:
        loader = cfg.get(f'{split}_dataloader')
        if not loader:
            continue
        has_truth = not _only_writes(cfg.get(f'{split}_evaluator'))
        if not has_truth:
            prefix = innermost_dataset(loader['dataset']).get('data_prefix')
            (prefix or {}).pop('seg_map_path', None)
        check_paths(f'{split}_dataloader', loader)
        dataset, readers = build_dataset(loader['dataset'])
        names = list(dataset.metainfo.get('classes') or ())
        found, classes = check_split(
            dataset, len(names), readers, args.threads
        )
        if has_truth:
            found = report(split, names, found, classes)
        else:
            found = [f for f in found if f[0] == ERROR]
        number = len(names) or 'unnamed'
        print(f'{split}: {len(dataset)} samples, {number} classes')
        print_findings(found, args.shown)
        errors += sum(severity == ERROR for severity, _, _ in found)
        lines += [f'{split}: {": ".join(finding)}' for finding in found]
    if args.out:
        args.out.write_text('\n'.join(lines) + '\n', encoding='utf-8')
    return int(errors > 0)


if __name__ == '__main__':
    sys.exit(main())
