"""Checks of data against configs, made before time is spent on them."""

import json
import logging
import os.path as osp
from collections.abc import Iterator

import mmcv
import numpy as np
from mmengine.fileio import get
from mmengine.logging import print_log
from mmengine.registry import DATASETS
from torch.utils.data import Dataset

_LARGE_FILE = 64 * 2**20  # bytes; reading such a file twice would be felt
_IGNORED = 255
# Data sets of mmpretrain that download themselves when they are missing.
_SELF_FETCHING = ('CIFAR10', 'CIFAR100', 'MNIST', 'FashionMNIST')


def _innermost(name: str, dataset: dict) -> Iterator[tuple[str, dict]]:
    """Yield the data sets inside wrappers, with their keys."""
    if isinstance(dataset.get('dataset'), dict):
        yield from _innermost(f'{name}.dataset', dataset['dataset'])
    elif isinstance(dataset.get('datasets'), (list, tuple)):
        for index, part in enumerate(dataset['datasets']):
            yield from _innermost(f'{name}.datasets[{index}]', part)
    else:
        yield name, dataset


def _is_remote(path: str, dataset: dict) -> bool:
    backend = (dataset.get('backend_args') or {}).get('backend', 'local')
    return '://' in path or backend != 'local'


def check_paths(name: str, dataloader: object) -> None:
    """Check that the files and folders that a dataloader names are there.

    Args:
        name: The dataloader's key in the config.
        dataloader: Its dict; anything else (already built, or None) passes.

    Raises:
        FileNotFoundError: Lists every missing one with its key.
    """
    if not isinstance(dataloader, dict) or not isinstance(
        dataloader.get('dataset'), dict
    ):
        return
    missing = []
    for key, dataset in _innermost(f'{name}.dataset', dataloader['dataset']):
        root = dataset.get('data_root') or ''
        if dataset.get('type') in _SELF_FETCHING:
            continue
        prefix = dataset.get('data_prefix') or {}
        if not isinstance(prefix, dict):
            prefix = {'': prefix}
        named = {f'{key}.data_root': root}
        if dataset.get('ann_file'):
            named[f'{key}.ann_file'] = osp.join(root, dataset['ann_file'])
        for part, path in prefix.items():
            if isinstance(path, str) and path:
                label = f'{key}.data_prefix' + (f'.{part}' if part else '')
                named[label] = osp.join(root, path)
        missing += [
            f'  {label} = {path!r}'
            for label, path in named.items()
            if path and not _is_remote(path, dataset) and not osp.exists(path)
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


def check_categories(dataset: dict) -> None:
    """Check the classes of COCO-style data sets against their files.

    mmdet drops a class whose name the file does not have, and numbers the
    others in the file's order: both would train wrong labels without a word.

    Args:
        dataset: The dict of a data set, or of a wrapper.

    Raises:
        ValueError: If a class has no category, or if the orders differ.
    """
    for _, inner in _innermost('dataset', dataset):
        path = osp.join(
            inner.get('data_root') or '', inner.get('ann_file') or ''
        )
        if (
            not path.endswith('.json')
            or not osp.isfile(path)
            or (osp.getsize(path) > _LARGE_FILE)
        ):
            continue
        with open(path, encoding='utf-8') as file:
            content = json.load(file)
        classes = _declared_classes(inner)
        if (
            not classes
            or not isinstance(content, dict)
            or ('categories' not in content)
        ):
            continue
        categories = [category['name'] for category in content['categories']]
        absent = [name for name in classes if name not in categories]
        if absent:
            raise ValueError(
                f'{path} has no category named {", ".join(absent[:10])}'
                f'{" ..." if len(absent) > 10 else ""}. It has: '
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
            print_log(
                f'{path}: objects of {", ".join(dropped)} are left out, as '
                'they are not among the classes',
                logger='current',
                level=logging.WARNING,
            )


def describe_empty(dataset: dict) -> str:
    """Say where a data set without a sample was looked for."""
    places = [
        f'{inner["type"]} found no sample with '
        + ', '.join(
            f'{key}={inner[key]!r}'
            for key in (
                'data_root',
                'data_prefix',
                'ann_file',
                'img_suffix',
                'filter_cfg',
            )
            if inner.get(key)
        )
        for _, inner in _innermost('dataset', dataset)
    ]
    return (
        '; '.join(places) + '. Check the folder, the ending of the files '
        '(img_suffix, seg_map_suffix) and the classes'
    )


def check_masks(
    dataset: Dataset, num_classes: int, num_samples: int = 50
) -> None:
    """Check the label values in some masks of a data set.

    Args:
        dataset: A data set of mmseg; others pass.
        num_classes: Values from 0 to this, exclusive, are classes; 255 is
            ignored.
        num_samples: How many masks are read, spread evenly.

    Raises:
        ValueError: Names the file and the values that are no class.
    """
    if (
        not hasattr(dataset, 'get_data_info')
        or not len(dataset)
        or (not dataset.get_data_info(0).get('seg_map_path'))
    ):
        return
    seen: set[int] = set()
    steps = np.linspace(0, len(dataset) - 1, min(num_samples, len(dataset)))
    for index in steps.round().astype(int).tolist():
        info = dataset.get_data_info(index)
        try:
            labels = mmcv.imfrombytes(
                get(info['seg_map_path']), flag='unchanged', backend='pillow'
            )
        except Exception:
            continue  # the dataloader names it, or skips it where told to
        if labels.ndim > 2:
            raise ValueError(
                f'{info["seg_map_path"]} has {labels.shape[2]} channels: a '
                'mask is one channel of class numbers, not a coloured picture'
            )
        values = set(np.unique(labels).tolist())
        if info.get('reduce_zero_label'):
            values = {
                _IGNORED if value in (0, _IGNORED) else value - 1
                for value in values
            }
        mapping = info.get('label_map') or {}
        values = {mapping.get(value, value) for value in values}
        wrong = sorted(v for v in values if v >= num_classes and v != _IGNORED)
        if wrong:
            raise ValueError(
                f'{info["seg_map_path"]} has label values {wrong}, but there '
                f'are {num_classes} classes, 0 to {num_classes - 1} ('
                f'{_IGNORED} is ignored). Correct num_classes and the '
                "dataset's metainfo classes, the mask, or reduce_zero_label"
            )
        seen |= values
    if seen <= {0, _IGNORED} and _IGNORED in seen and num_classes > 1:
        print_log(
            f'{len(steps)} masks hold no label but 0 and {_IGNORED}. '
            f'{_IGNORED} is ignored in training: if it means a class, write '
            'it as 1',
            logger='current',
            level=logging.WARNING,
        )
