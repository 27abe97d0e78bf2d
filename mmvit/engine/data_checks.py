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
_SHOWN = 5
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


def spread(length: int, number: int) -> list[int]:
    """Indices of so many samples, spread evenly."""
    steps = np.linspace(0, length - 1, min(number, length))
    return steps.round().astype(int).tolist()


def mask_values(info: dict) -> set[int]:
    """Read the label values of a mask, as training will see them.

    Args:
        info: What a data set of mmseg knows of a sample.

    Raises:
        ValueError: If the mask is a coloured picture.
    """
    labels = mmcv.imfrombytes(
        get(info['seg_map_path']), flag='unchanged', backend='pillow'
    )
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
    return {mapping.get(value, value) for value in values}


def check_values(info: dict, values: set[int], num_classes: int) -> None:
    """Check that label values are classes.

    Raises:
        ValueError: Names the file and the values that are no class.
    """
    wrong = sorted(v for v in values if v >= num_classes and v != _IGNORED)
    if wrong:
        raise ValueError(
            f'{info["seg_map_path"]} has label values {wrong}, but there '
            f'are {num_classes} classes, 0 to {num_classes - 1} ('
            f'{_IGNORED} is ignored). Correct num_classes and the '
            "dataset's metainfo classes, the mask, or reduce_zero_label"
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
    steps = spread(len(dataset), num_samples)
    for index in steps:
        info = dataset.get_data_info(index)
        try:
            values = mask_values(info)
        except ValueError as error:
            if 'channels' in str(error):
                raise
            continue
        except Exception:
            continue  # the dataloader names it, or skips it where told to
        check_values(info, values, num_classes)
        seen |= values
    if seen <= {0, _IGNORED} and _IGNORED in seen and num_classes > 1:
        print_log(
            f'{len(steps)} masks hold no label but 0 and {_IGNORED}. '
            f'{_IGNORED} is ignored in training: if it means a class, write '
            'it as 1',
            logger='current',
            level=logging.WARNING,
        )


def missing_files(info: dict, dataset: Dataset) -> list[str]:
    """Files of a sample that are not on this machine's disk.

    Args:
        info: What the data set knows of the sample.
        dataset: The data set; files of a remote one are not looked for.
    """
    place = dict(backend_args=getattr(dataset, 'backend_args', None))
    return [
        str(info[key])
        for key in ('img_path', 'seg_map_path')
        if info.get(key)
        and not _is_remote(str(info[key]), place)
        and not osp.isfile(info[key])
    ]


def is_empty(info: dict) -> bool:
    """Whether a sample of a detection set has no object to learn from."""
    instances = info.get('instances')
    return instances is not None and not any(
        not instance.get('ignore_flag') for instance in instances
    )


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ', '.join(names[:_SHOWN]) + (f' and {more} more' * (more > 0))


def check_samples(
    dataset: Dataset,
    num_samples: int = 500,
    may_miss: int = 0,
    needs_objects: bool = True,
) -> None:
    """Check some samples for missing files and annotations.

    Args:
        dataset: A data set of OpenMMLab; others pass.
        num_samples: How many are looked at, spread evenly.
        may_miss: How many may lack a file.
        needs_objects: Whether a detection set without objects is an error.

    Raises:
        FileNotFoundError: If files are missing; counts and names them.
        ValueError: If not one of the samples has an object.
    """
    if not hasattr(dataset, 'get_data_info') or not len(dataset):
        return
    missing, empty = [], []
    steps = spread(len(dataset), num_samples)
    for index in steps:
        info = dataset.get_data_info(index)
        if not isinstance(info, dict):
            return
        missing += missing_files(info, dataset)[:1]
        if is_empty(info):
            empty.append(str(info.get('img_path')))
    if missing:
        text = (
            f'{len(missing)} of {len(steps)} samples that were looked at have '
            f'no file: {_some(missing)}'
        )
        if len(missing) > may_miss:
            raise FileNotFoundError(
                f'{text}. Check data_root, data_prefix and the endings, or '
                'let some be skipped in training with '
                'train_dataloader.max_bad_samples=N. '
                'tools/dataset_converters/check_dataset.py looks at all'
            )
        print_log(text, logger='current', level=logging.WARNING)
    if empty:
        text = (
            f'{len(empty)} of {len(steps)} images that were looked at have no '
            f'object: {_some(empty)}'
        )
        if len(empty) == len(steps) and needs_objects:
            raise ValueError(
                f'{text}. There is nothing to learn: check metainfo classes '
                'against the categories of the annotation file'
            )
        print_log(text, logger='current', level=logging.WARNING)


def check_class_names(dataset: Dataset) -> None:
    """Check the classes of a loaded data set against what it found.

    Args:
        dataset: A data set of OpenMMLab; others pass.

    Raises:
        ValueError: If categories are missing, or folders of a classification
            set have the classes' names in another order.
    """
    classes = list(getattr(dataset, 'metainfo', {}).get('classes') or ())
    found = getattr(dataset, 'cat_ids', None)
    if classes and isinstance(found, list) and len(found) != len(classes):
        raise ValueError(
            f'{dataset.ann_file} has {len(found)} of the {len(classes)} '
            f'classes {_some(classes)}: correct metainfo classes'
        )
    folders = list(getattr(dataset, 'folder_to_idx', None) or ())
    common = set(folders) & set(classes)
    if common and folders != classes:
        raise ValueError(
            f'the class folders are {_some(folders)}, in the order of their '
            f'labels, and metainfo classes are {_some(classes)}: give the '
            "folders' names in their order, or none"
        )
