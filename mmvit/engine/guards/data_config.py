"""What a config alone tells about its data: paths and categories."""

import contextlib
import logging
import os.path as osp
from collections.abc import Iterator

from mmengine.fileio import load
from mmengine.logging import print_log
from mmengine.registry import DATASETS
from torch.utils.data import DataLoader

from mmvit.utils.text import some_of

_LARGE_FILE = 64 * 2**20  # bytes; reading such a file twice takes too long
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
        if dataset.get('type') not in _SELF_FETCHING
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


def _declared_classes(dataset: dict) -> tuple[str, ...] | None:
    classes = (dataset.get('metainfo') or {}).get('classes')
    if classes is None:
        cls = dataset['type']
        if isinstance(cls, str):
            with DATASETS.switch_scope_and_registry(None) as registry:
                cls = registry.get(cls)
        classes = getattr(cls, 'METAINFO', {}).get('classes')
    return (classes,) if isinstance(classes, str) else classes


def _categories(path: str) -> list[str] | None:
    """Read the categories of a COCO file that is not too large."""
    if (
        path.endswith('.json')
        and osp.isfile(path)
        and osp.getsize(path) <= _LARGE_FILE
    ):
        content = load(path)
        if isinstance(content, dict) and 'categories' in content:
            return [category['name'] for category in content['categories']]
    return None


def check_categories(dataset: dict) -> None:
    """Check the classes of COCO-style data sets against their files.

    mmdet drops a class whose name the file does not have, and numbers the
    others in the file's order. Both would train wrong labels silently. The
    config is that of a data set, or of a wrapper.
    """
    for _, inner in _innermost('dataset', dataset):
        root, file = inner.get('data_root'), inner.get('ann_file')
        path = osp.join(root or '', file or '')
        categories = _categories(path)
        classes = categories and _declared_classes(inner)
        if classes:
            _compare(path, categories, classes)


def _compare(path: str, categories: list[str], classes: list[str]) -> None:
    absent = [name for name in classes if name not in categories]
    if absent:
        raise ValueError(
            f'{path} has no category named {some_of(absent, 10)}. It has: '
            f'{", ".join(categories)}. Set metainfo=dict(classes=...) of '
            'the dataset, and num_classes of the heads, to these'
        )
    order = [name for name in categories if name in classes]
    if order != list(classes):
        raise ValueError(
            f'{path} lists its categories as {", ".join(order)}, and '
            'labels are numbered in that order. Give metainfo classes in '
            f'the same order, not as {", ".join(classes)}'
        )
    dropped = [name for name in categories if name not in classes]
    if dropped:
        text = (
            f'{path}: objects of {", ".join(dropped)} are left out, as '
            'they are not among the classes'
        )
        print_log(text, logger='current', level=logging.WARNING)


def _finds_nothing(dataset: dict) -> bool:
    # It may be of another kind, or broken in another way.
    with contextlib.suppress(Exception):
        # mmengine fails to serialize an empty data set.
        return not len(DATASETS.build(dict(dataset, serialize_data=False)))
    return False


def empty_error(dataset: dict) -> EmptyDatasetError | None:
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
