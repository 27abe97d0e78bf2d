"""What a config alone tells about its data: paths and categories."""

import contextlib
import os.path as osp
from collections.abc import Iterator

from mmengine.registry import DATASETS
from torch.utils.data import DataLoader

from mmvit.utils.text import some_of
from mmvit.utils.types import type_name

from .coco_files import check_coco, load_coco
from .findings import ERROR, NOTE, Finding

# Data sets of mmpretrain that download themselves when they are missing
_SELF_FETCHING = ('CIFAR10', 'CIFAR100', 'MNIST', 'FashionMNIST')
_PLACE = ('data_root', 'data_prefix', 'ann_file', 'img_suffix', 'filter_cfg')


class EmptyDatasetError(ValueError):
    """A data set has no sample; the message says where it looked."""


def _innermost(name: str, dataset: dict) -> Iterator[tuple[str, dict]]:
    """Yield the data sets inside wrappers, with their keys."""
    if isinstance(dataset.get('dataset'), dict):
        yield from _innermost(f'{name}.dataset', dataset['dataset'])
    elif isinstance(dataset.get('datasets'), (list, tuple)):
        for index, part in enumerate(dataset['datasets']):
            yield from _innermost(f'{name}.datasets[{index}]', part)
    else:
        yield name, dataset


def is_remote(path: str, backend_args: dict | None) -> bool:
    """Whether a path is not on this machine's disks."""
    backend = (backend_args or {}).get('backend', 'local')
    return '://' in path or backend != 'local'


def _paths(key: str, dataset: dict) -> Iterator[tuple[str, str]]:
    """Yield the paths that a data set's config names, with their keys."""
    root = dataset.get('data_root') or ''
    yield f'{key}.data_root', root
    if dataset.get('ann_file'):
        yield f'{key}.ann_file', osp.join(root, dataset['ann_file'])
    prefix = dataset.get('data_prefix') or {}
    if not isinstance(prefix, dict):
        prefix = {'': prefix}
    for part, path in prefix.items():
        if isinstance(path, str) and path:
            label = f'{key}.data_prefix.{part}'.rstrip('.')
            yield label, osp.join(root, path)


def check_truth(split: str, evaluator: object) -> None:
    """Check that the annotation files of a split's evaluators exist."""
    several = isinstance(evaluator, (list, tuple))
    for one in evaluator if several else [evaluator]:
        path = one.get('ann_file') if isinstance(one, dict) else None
        if isinstance(path, str) and not (
            is_remote(path, one.get('backend_args')) or osp.exists(path)
        ):
            raise FileNotFoundError(
                f'{split}_evaluator.ann_file = {path!r} does not exist: put '
                f'the file there, or set the key'
            )


def check_paths(name: str, dataloader: DataLoader | dict | None) -> None:
    """Check that the files and folders that a dataloader names exist.

    One that is already built passes. `name` is its key in the config.
    """
    whole = dataloader.get('dataset') if isinstance(dataloader, dict) else None
    if not isinstance(whole, dict):
        return
    missing = [
        f'  {label} = {path!r}'
        for key, dataset in _innermost(f'{name}.dataset', whole)
        if type_name(dataset) not in _SELF_FETCHING
        for label, path in _paths(key, dataset)
        if path
        and not is_remote(path, dataset.get('backend_args'))
        and not osp.exists(path)
    ]
    if missing:
        raise FileNotFoundError(
            'these paths of the config do not exist:\n'
            + '\n'.join(missing)
            + '\nPut the data there, or set the keys (in the config, or with '
            '--cfg-options key=value)'
        )


def _class_of(dataset: dict) -> type | None:
    cls = dataset['type']
    if isinstance(cls, str):
        with DATASETS.switch_scope_and_registry(None) as registry:
            cls = registry.get(cls)
    return cls


def _declared_classes(dataset: dict) -> tuple[str, ...] | None:
    classes = (dataset.get('metainfo') or {}).get('classes')
    if classes is None:
        classes = getattr(_class_of(dataset), 'METAINFO', {}).get('classes')
    # A text is the name of a file with the names.
    return None if isinstance(classes, str) else classes


def check_classes(name: str, dataset: dict) -> None:
    """Refuse classes that are no list, and no name of a file with the names.

    Each letter of a text would be a class, and a set has no order. `name` is
    the data set's key.
    """
    for key, inner in _innermost(name, dataset):
        metainfo = inner.get('metainfo') or {}
        if not isinstance(metainfo, dict):
            raise ValueError(
                f'{key}.metainfo is {metainfo!r}: write '
                f'dict(classes={metainfo!r})'
            )
        for place, classes in (
            (f'{key}.metainfo.classes', metainfo.get('classes')),
            (f'{key}.classes', inner.get('classes')),
        ):
            if classes is None:
                continue
            if isinstance(classes, str) and not osp.isfile(classes):
                raise ValueError(
                    f'{place} is the text {classes!r}: write a tuple, '
                    f'with a comma: ({classes!r},)'
                )
            if not (classes and isinstance(classes, (str, list, tuple))):
                raise ValueError(
                    f'{place} is {classes!r}: write a tuple of the names, in '
                    'the order of their labels'
                )


def _reads_coco(dataset: dict) -> bool:
    api = getattr(_class_of(dataset), 'COCOAPI', None)
    return getattr(api, '__name__', '') == 'COCO'


def _asks_for_masks(pipeline: list) -> bool:
    return any(
        step.get('with_mask') for step in pipeline if isinstance(step, dict)
    )


def annotation_findings(dataset: dict) -> Iterator[Finding]:
    """Find what is wrong in the annotation files of COCO-style data sets.

    The config is that of a data set, or of a wrapper, whose pipelines tell
    whether masks are asked for. The classes are compared with the file's
    categories: mmdet drops a class whose name the file does not have, and
    numbers the others in the file's order.
    """
    for _, inner in _innermost('dataset', dataset):
        root, file = inner.get('data_root') or '', inner.get('ann_file') or ''
        path = osp.join(root, file)
        if not osp.isfile(path) or not _reads_coco(inner):
            continue
        prefix = inner.get('data_prefix') or {}
        images = prefix.get('img', '') if isinstance(prefix, dict) else prefix
        try:
            content = load_coco(path, osp.join(root, images))
        except ValueError as error:
            text, _, cure = str(error).rpartition(': ')
            yield Finding(ERROR, 'file that cannot be read', text, cure)
            continue
        masks = _asks_for_masks(inner.get('pipeline') or [])
        found = list(check_coco(content, path, masks))
        yield from found
        classes = _declared_classes(inner)
        if classes and not any(one.severity == ERROR for one in found):
            names = [one['name'] for one in content['categories']]
            yield from _compare(path, names, list(classes))


def _compare(
    path: str, categories: list[str], classes: list[str]
) -> Iterator[Finding]:
    if len(set(classes)) < len(classes):
        text = f'{path}: {", ".join(map(str, classes))}'
        cure = 'Give each class its own name'
        yield Finding(ERROR, 'classes of which two have one name', text, cure)
        return
    if absent := [str(name) for name in classes if name not in categories]:
        yield Finding(
            ERROR,
            'classes that the file does not have',
            f'{path} has no category named {some_of(absent, 10)}. It has: '
            f'{", ".join(categories)}',
            'Set metainfo=dict(classes=...) of the dataset, and num_classes '
            'of the heads, to these',
        )
        return
    order = [name for name in categories if name in classes]
    if order != classes:
        yield Finding(
            ERROR,
            'classes in another order than in the file',
            f'{path} lists its categories as {", ".join(order)}, and labels '
            'are numbered in that order',
            f'Give metainfo classes in the same order, not as '
            f'{", ".join(classes)}',
        )
    if left := [name for name in categories if name not in classes]:
        yield Finding(
            NOTE,
            'categories that are not among the classes',
            f'{path}: objects of {", ".join(left)} are left out',
        )


def _finds_nothing(dataset: dict) -> bool:
    # It may be of another kind, or broken in another way.
    with contextlib.suppress(Exception):
        # mmengine fails to serialize an empty data set.
        return not len(DATASETS.build(dict(dataset, serialize_data=False)))
    return False


def _empty_error(dataset: dict) -> EmptyDatasetError | None:
    """Say where a config's data sets without a sample looked, if any."""
    places = []
    for _, inner in _innermost('dataset', dataset):
        if _finds_nothing(inner):
            keys = [f'{key}={inner[key]!r}' for key in _PLACE if key in inner]
            text = f'{inner["type"]} found no sample with {", ".join(keys)}'
            places.append(text)
    cure = (
        '. Check the folder, the ending of the files (img_suffix, '
        'seg_map_suffix) and the classes'
    )
    return EmptyDatasetError('; '.join(places) + cure) if places else None


def _is_labelled(line: str) -> bool:
    """Whether a line is a name, a space and a number, as mmpretrain reads."""
    _, space, label = line.strip().rpartition(' ')
    return bool(space) and label.removeprefix('-').isdecimal()


def _line_error(dataset: dict) -> ValueError | None:
    """Name the line that is not an image and its class, if there is one."""
    for _, inner in _innermost('dataset', dataset):
        root, file = inner.get('data_root') or '', inner.get('ann_file') or ''
        path = osp.join(root, file)
        of_lines = hasattr(_class_of(inner), 'is_valid_file')
        if not (of_lines and inner.get('with_label', True)):
            continue
        if not osp.isfile(path):
            continue
        with open(path, encoding='utf-8', errors='replace') as lines:
            for number, line in enumerate(lines, 1):
                if not _is_labelled(line):
                    return ValueError(
                        f'{path}, line {number}: {line.rstrip()!r} is not the '
                        'name of an image, a space and the number of its '
                        'class. Correct the line'
                    )
    return None


def data_error(dataset: dict) -> ValueError | None:
    """Find out why a config's data sets cannot be built, if it can be told."""
    return _empty_error(dataset) or _line_error(dataset)
