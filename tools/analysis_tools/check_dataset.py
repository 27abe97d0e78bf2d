"""Check every file of a config's data sets before a training.

Reads each image and mask and checks the annotations: files that are missing
or cannot be read, sizes that differ, label values and boxes that are
impossible, objects and files that a training would leave out, images without
any object, classes that never occur. Compares them with the config: heads of
other classes, images of different sizes that do not make a batch of a
validation, evaluators of other data or of another task, and a best checkpoint
by a metric that is not measured. Problems are listed with files and ids.
The exit code is 1 if there is an error or something is left out.
"""

import argparse
import copy
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

from mmvit.apis.command_line import CommandLine, output_file

EXAMPLES = """
  python tools/analysis_tools/check_dataset.py \\
      configs/pvt/retinanet_pvt-s_fpn_1x_coco.py --splits train val
  python tools/analysis_tools/check_dataset.py CONFIG --out problems.txt
"""
SPLITS = ('train', 'val', 'test')
# Steps of a pipeline that read files of their own
READERS = ('LoadTokenLabels',)
IGNORED = 255  # in masks


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = CommandLine(__doc__, EXAMPLES)
    parser.add_shared('config')
    parser.add_argument(
        '--splits',
        nargs='+',
        choices=SPLITS,
        default=['train', 'val'],
        help="the config's data sets to check",
    )
    text = 'number of files to print for each kind of problem'
    parser.add_number('--shown', 5, text, low=0)
    parser.add_argument(
        '--out',
        type=output_file(''),
        metavar='FILE',
        help='write all problems to this file',
    )
    parser.add_number('--threads', 4, 'number of threads that read files')
    parser.add_shared('--cfg-options', '--trust-checkpoint')
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes end here, before the slow imports

import torch
from mmcv.transforms import BaseTransform, Compose
from mmengine.config import Config
from mmengine.fileio import get
from mmengine.registry import DATASETS, MODELS, TRANSFORMS
from mmengine.utils import ProgressBar
from torch import nn
from torch.utils.data import DataLoader, Dataset

from mmvit.apis.config import (
    build_model,
    config_from_args,
    innermost_dataset,
    preprocessor_of,
)
from mmvit.checkpoints import guard_loading
from mmvit.engine import GuardedRunner
from mmvit.engine.guards.batches import check_stacking
from mmvit.engine.guards.coco_files import coco_files
from mmvit.engine.guards.data_config import (
    annotation_findings,
    check_classes,
    check_paths,
    data_error,
)
from mmvit.engine.guards.data_samples import (
    check_class_names,
    check_heads,
    check_number,
    check_values,
    has_class_map,
    ignored_class,
    is_empty,
    labels_of,
    mask_values,
    missing_files,
    some_infos,
)
from mmvit.engine.guards.evaluators import evaluator_findings
from mmvit.engine.guards.findings import (
    ERROR,
    NOTE,
    Finding,
    error_of,
    grouped,
)
from mmvit.engine.guards.folders import folder_findings
from mmvit.engine.guards.sample_files import (
    geometry_findings,
    read_header,
    turns_images,
)
from mmvit.utils.types import type_name
from mmvit.visualization.images import loading_step


class Split(NamedTuple):
    """A data set without its pipeline, and what is needed to check it."""

    dataset: Dataset | None  # None if it cannot be built
    load: Callable[[dict], dict]  # the pipeline's step that reads an image
    readers: list[BaseTransform]  # steps that read other files of a sample
    found: list[Finding]  # what is wrong in the annotation files


@coco_files()
def build_split(key: str, cfg: dict) -> Split:
    """Build a data set that keeps its images without objects."""
    check_classes(key, cfg)
    found = list(annotation_findings(cfg))
    whole = innermost_dataset(cfg)
    loads, readers = [], []
    for one in whole.get('datasets', [whole]):
        one.pop('filter_cfg', None)
        steps, one['pipeline'] = one.get('pipeline') or [], []
        loads += steps[:1]
        readers += [s for s in steps if type_name(s) in READERS]
    config = copy.deepcopy(cfg)
    try:
        dataset = DATASETS.build(cfg)
        if hasattr(dataset, 'full_init'):
            dataset.full_init()
        check_class_names(dataset)
    except Exception:
        if not any(one.severity == ERROR for one in found):
            if not (cause := data_error(config)):
                raise
            found.append(Finding(ERROR, 'no samples', str(cause)))
        dataset = None
    return Split(
        dataset,
        loading_step(Compose(loads)),
        [TRANSFORMS.build(step) for step in readers],
        found,
    )


def _labels(info: dict, num_classes: int) -> Iterator[Finding]:
    path = info['img_path']
    if is_empty(info):
        yield Finding(NOTE, 'image without an object', path)
    for label in labels_of(info):
        if not 0 <= label < (num_classes or math.inf):
            text = f'{path}: {label}'
            yield Finding(ERROR, 'label that is no class', text)


def _image(info: dict, split: Split, num_classes: int) -> Iterator[Finding]:
    """Read an image and compare its size and its labels."""
    try:
        split.load(dict(img_path=info['img_path'], img_id=0))
    except Exception:
        path = info['img_path']
        yield Finding(ERROR, 'image that cannot be read', path)
        return
    files = [info['img_path'], info.get('seg_map_path')]
    image, mask = (
        read_header(BytesIO(get(file))) if file else None for file in files
    )
    yield from geometry_findings(info, turns_images(split.load), image, mask)
    yield from _labels(info, num_classes)


def _mask(
    info: dict, num_classes: int, classes: list[int]
) -> Iterator[Finding]:
    """Read a mask; its classes are added to a list."""
    try:
        values = mask_values(info)
        if has_class_map(info):
            classes += [v for v in values if v < num_classes or v == IGNORED]
            check_values(info, values, num_classes)
            if values == {IGNORED}:
                text = info['seg_map_path']
                yield Finding(NOTE, 'mask that is ignored as a whole', text)
    except ValueError as error:
        yield Finding(ERROR, 'mask with wrong values', str(error))
    except Exception:
        kind = 'mask that cannot be read'
        yield Finding(ERROR, kind, info['seg_map_path'])


def check_sample(
    split: Split, index: int, num_classes: int
) -> tuple[list[Finding], list[int]]:
    """Check one sample; `num_classes` is 0 if it is not known.

    Returns:
        The findings, and the classes that occur in the sample.
    """
    info = split.dataset.get_data_info(index)
    missing = missing_files(info, split.dataset)
    if missing:
        kind = 'missing file'
        return [Finding(ERROR, kind, path) for path in missing], []
    classes = [] if is_empty(info) else labels_of(info)
    found = [*_image(info, split, num_classes)]
    if info.get('seg_map_path'):
        found += _mask(info, num_classes, classes)
    for reader in split.readers:
        try:
            reader(dict(img_path=info['img_path']))
        except Exception as error:
            kind = 'label map that cannot be used'
            found.append(Finding(ERROR, kind, str(error)))
    return found, classes


def check_split(
    split: Split, num_classes: int, threads: int
) -> tuple[list[Finding], Counter]:
    """Check all samples of a data set, with a progress bar."""
    found = [*split.found, *folder_findings(split.dataset)]
    classes: Counter = Counter()
    bar = ProgressBar(len(split.dataset), file=sys.stderr)
    with ThreadPoolExecutor(threads) as pool:
        for some, labels in pool.map(
            lambda index: check_sample(split, index, num_classes),
            range(len(split.dataset)),
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
        text = ', '.join(absent)
        found.append(Finding(NOTE, 'class that never occurs', text))
    if hint := ignored_class(set(classes), len(names)):
        found.append(Finding(NOTE, 'masks of 0 and 255 alone', hint))
    kinds = {finding.kind for finding in found}
    empty = {'image without an object', 'mask that is ignored as a whole'}
    if kinds & empty and set(classes) <= {IGNORED}:
        found.append(Finding(ERROR, 'no object at all', split))
    return found


def check_batch(
    loader: DataLoader, split: str, cfg: Config
) -> Iterator[Finding]:
    """Put images of different sizes into a batch, as a test does."""
    prepare = preprocessor_of(cfg)
    if 'type' not in prepare:
        return
    model = SimpleNamespace(data_preprocessor=MODELS.build(prepare))
    args = loader, some_infos(loader.dataset, 50), model
    kind = 'batch that cannot be made'
    yield from error_of(kind, check_stacking, *args, f'{split}_dataloader')


def model_of(cfg: Config) -> nn.Module | None:
    """Build the model of a config without data, if it has one."""
    if 'model' not in cfg:
        return None
    try:
        with torch.device('meta'):
            return build_model(cfg)
    except Exception as error:
        print(f'the model cannot be built: {type(error).__name__}: {error}')
    return None


@coco_files()
def check_run(split: str, cfg: Config, model: nn.Module) -> list[Finding]:
    """Compare the data of a validation or a test with its evaluators."""
    loader = GuardedRunner.build_dataloader(cfg[f'{split}_dataloader'])
    dataset = loader.dataset
    infos = list(some_infos(dataset, len(dataset)).values())
    return [
        *check_batch(loader, split, cfg),
        *evaluator_findings(cfg, split, dataset, infos, model),
    ]


def print_findings(found: list[Finding], shown: int) -> None:
    """Print the kinds of findings with the first files of each."""
    for (severity, kind), group in grouped(found).items():
        print(f'  {severity}: {len(group)} x {kind}')
        for finding in group[:shown]:
            print(f'    {finding.text}')
        if len(group) > shown:
            print(f'    and {len(group) - shown} more')
        if group[0].cure:
            print(f'    -> {group[0].cure}')
    if not found:
        print('  nothing wrong')


def _only_writes(evaluator: dict | list | None) -> bool:
    """Whether a test only writes files for a server, which has the truth."""
    evaluators = evaluator if isinstance(evaluator, list) else [evaluator]
    return any((one or {}).get('format_only') for one in evaluators)


def check_one(
    split: str, cfg: dict, has_truth: bool, args: argparse.Namespace
) -> tuple[list[Finding], Dataset | None]:
    """Check a split's data set, and print how large it is.

    Returns:
        The findings, and the data set, if it can be built.
    """
    built = build_split(f'{split}_dataloader.dataset', cfg)
    if built.dataset is None:
        print(f'{split}: cannot be read')
        return built.found, None
    names = list(built.dataset.metainfo.get('classes') or ())
    print(
        f'{split}: {len(built.dataset)} samples, '
        f'{len(names) or "unnamed"} classes'
    )
    found, classes = check_split(built, len(names), args.threads)
    if any(map(has_class_map, some_infos(built.dataset, 1).values())):
        found += error_of('too many classes', check_number, len(names))
    if not has_truth:
        found = [one for one in found if one.severity != NOTE]
    else:
        found = report(split, names, found, classes)
    return found, built.dataset


@guard_loading()
def main(argv: list[str] | None = None) -> int:
    """Check; see --help."""
    args = parse_args(argv)
    cfg = config_from_args(args)
    model = model_of(cfg)
    lines, errors = [], 0
    for split in args.splits:
        loader = cfg.get(f'{split}_dataloader')
        if not loader:
            print(f'{split}: the config has no {split}_dataloader')
            continue
        has_truth = not _only_writes(cfg.get(f'{split}_evaluator'))
        if not has_truth:
            prefix = innermost_dataset(loader['dataset']).get('data_prefix')
            (prefix or {}).pop('seg_map_path', None)
        check_paths(f'{split}_dataloader', loader)
        dataset = copy.deepcopy(loader['dataset'])
        found, built = check_one(split, dataset, has_truth, args)
        if model and built:
            kind, key = 'head of other classes', f'{split}_dataloader'
            found += error_of(kind, check_heads, model, built, key)
        whole = all(one.severity != ERROR for one in found)
        if model and whole and split != 'train':
            found += check_run(split, cfg, model)
        print_findings(found, args.shown)
        errors += sum(one.severity != NOTE for one in found)
        lines += [f'{split}: {": ".join(finding[:3])}' for finding in found]
    if args.out:
        text = '\n'.join(lines) + '\n'
        Path(args.out).parent.mkdir(parents=True, exist_ok=True)
        Path(args.out).write_text(text, encoding='utf-8')
    return int(errors > 0)


if __name__ == '__main__':
    sys.exit(main())
