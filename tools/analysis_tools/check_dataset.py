"""Look at every file of a config's data sets, before a training does.

Reads each image and mask, and checks what the annotations say: files that
are missing or cannot be read, sizes that differ, label values and boxes that
make no sense, images without any object, classes that never occur. Problems
are listed with the files' names; the exit code is 1 if there is an error.
"""

import argparse
import math
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mmcv
from mmengine.config import DictAction
from mmengine.fileio import get
from mmengine.registry import DATASETS, init_default_scope
from mmengine.utils import ProgressBar
from torch.utils.data import Dataset

from mmvit.apis.config import load_config
from mmvit.engine.data_checks import (
    check_categories,
    check_class_names,
    check_paths,
    check_values,
    is_empty,
    mask_values,
    missing_files,
)

EXAMPLES = """examples:
  python tools/dataset_converters/check_dataset.py \\
      configs/pvt/retinanet_pvt-t_fpn_1x_coco.py --splits train val
  python tools/dataset_converters/check_dataset.py CONFIG --out problems.txt
"""
SPLITS = ('train', 'val', 'test')
ERROR, NOTE = 'error', 'note'
Finding = tuple[str, str, str]  # severity, kind, text


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='config file, of any task')
    parser.add_argument(
        '--splits', nargs='+', choices=SPLITS, default=['train', 'val']
    )
    parser.add_argument(
        '--shown', type=int, default=5, metavar='N', help='files named a kind'
    )
    parser.add_argument('--out', type=Path, help='file for all problems')
    parser.add_argument('--threads', type=int, default=4, metavar='N')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    return parser.parse_args(argv)


def build_dataset(cfg: dict) -> Dataset:
    """Build a data set with every sample in it, empty ones too."""
    inner = cfg
    while 'dataset' in inner:
        inner = inner['dataset']
    inner.pop('filter_cfg', None)
    check_categories(cfg)
    dataset = DATASETS.build(cfg)
    if hasattr(dataset, 'full_init'):
        dataset.full_init()
    check_class_names(dataset)
    return dataset


def _box_problem(box: list, height: int, width: int) -> str | None:
    x1, y1, x2, y2 = (float(value) for value in box)
    if not all(map(math.isfinite, (x1, y1, x2, y2))):
        return 'box with a coordinate that is no number'
    if x2 <= x1 or y2 <= y1:
        return 'box without an area'
    if x2 <= 0 or y2 <= 0 or x1 >= width or y1 >= height:
        return 'box outside of its image'
    return None


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
        if not 0 <= instance.get('bbox_label', 0) < num_classes:
            label = instance['bbox_label']
            yield ERROR, 'label that is no class', f'{path}: {label}'
    label = info.get('gt_label')
    if isinstance(label, int) and not 0 <= label < num_classes:
        yield ERROR, 'label that is no class', f'{path}: {label}'


def check_sample(
    dataset: Dataset, index: int, num_classes: int
) -> tuple[list[Finding], list[int]]:
    """Check one sample.

    Returns:
        What was found, and the classes that occur in it.
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
            classes += [value for value in values if value < num_classes]
            check_values(info, values, num_classes)
        except ValueError as error:
            found.append((ERROR, 'mask with wrong values', str(error)))
        except Exception:
            found.append(
                (ERROR, 'mask that cannot be read', info['seg_map_path'])
            )
    return found, classes


def check_split(
    dataset: Dataset, num_classes: int, threads: int
) -> tuple[list[Finding], Counter]:
    """Check all samples of a data set, with a progress bar."""
    found: list[Finding] = []
    classes: Counter = Counter()
    bar = ProgressBar(len(dataset), file=sys.stderr)
    with ThreadPoolExecutor(threads) as pool:
        for some, labels in pool.map(
            lambda index: check_sample(dataset, index, num_classes),
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
    """Add what concerns the whole split."""
    absent = [n for index, n in enumerate(names) if not classes[index]]
    if absent and classes:
        found.append((NOTE, 'class that never occurs', ', '.join(absent)))
    kinds = [kind for _, kind, _ in found]
    if 'image without an object' in kinds and not classes:
        found.append((ERROR, 'no object at all', split))
    return found


def main(argv: list[str] | None = None) -> int:
    """Check; see --help."""
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    lines, errors = [], 0
    for split in args.splits:
        loader = cfg.get(f'{split}_dataloader')
        if not loader:
            continue
        check_paths(f'{split}_dataloader', loader)
        dataset = build_dataset(loader['dataset'])
        names = list(dataset.metainfo.get('classes') or ())
        found, classes = check_split(dataset, len(names), args.threads)
        found = report(split, names, found, classes)
        print(f'{split}: {len(dataset)} samples, {len(names)} classes')
        for (severity, kind), number in Counter(
            (severity, kind) for severity, kind, _ in found
        ).items():
            errors += number * (severity == ERROR)
            print(f'  {severity}: {number} x {kind}')
            texts = [text for _, other, text in found if other == kind]
            lines += [f'{split}: {severity}: {kind}: {text}' for text in texts]
            for text in texts[: args.shown]:
                print(f'    {text}')
            if number > args.shown:
                print(f'    and {number - args.shown} more')
        if not found:
            print('  nothing wrong')
    if args.out:
        args.out.write_text('\n'.join(lines) + '\n')
    return int(errors > 0)


if __name__ == '__main__':
    sys.exit(main())
